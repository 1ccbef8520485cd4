"""Memory of a process that trains on A4 scans at 300 dpi: `python benchmarks/scans.py --pages 2000`.

Writes `--files` different pages of 2480 x 3508 pixels and lists each as often as it takes under names of its own (hard
links), so that 2,000 pages need the disk of a few and are decoded, looked at and remembered like 2,000.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from tfic.data import read_folder
from tfic.synth import draw
from tfic.training.crops import draw_crops

HEIGHT_PX, WIDTH_PX = 3508, 2480
"""A4 at 300 dpi."""


def main() -> None:
    """Write the pages, read the folder, draw crops, and print the peak of memory and the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--crops", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = f"{place}/cache"
        folder = Path(place, "scans")
        folder.mkdir()
        write_scans(folder, args.files, args.pages)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for title in ("first look", "second look"):
            started = time.monotonic()
            pages = read_folder(folder)
            print(f"{title}: {len(pages)} pages in {time.monotonic() - started:.1f} s, {_peak_gb():.2f} GB")
        rng, started = np.random.default_rng(0), time.monotonic()
        for _ in range(args.crops // 4):
            draw_crops(pages, rng, 4, 256, 256, on_text=True, cut=True)
        print(f"{args.crops} crops in {time.monotonic() - started:.1f} s")
        print(f"peak {_peak_gb():.2f} GB ({before / 1e6:.2f} GB before the folder was read)")


def write_scans(folder: Path, files: int, pages: int) -> None:
    """`files` pages of text as grey PNG, each listed under several names."""
    rows = []
    for i in range(pages):
        if i < files:
            page = draw(0, "train", i, 877, 620)
            grey = cv2.resize(cv2.cvtColor(page.image, cv2.COLOR_RGB2GRAY), (WIDTH_PX, HEIGHT_PX))
            cv2.imwrite(str(folder / f"{i}.png"), grey)
            lines = [{"text": line.text, "quad": [[4 * x, 4 * y] for x, y in line.quad]} for line in page.lines]
            rows.append((page.text, lines))
        else:
            os.link(folder / f"{i % files}.png", folder / f"{i}.png")
    records = ({"file_name": f"{i}.png", "text": rows[i % files][0], "lines": rows[i % files][1]} for i in range(pages))
    (folder / "metadata.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
