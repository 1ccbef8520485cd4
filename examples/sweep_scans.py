"""Sweep lambda and gamma, measured on your own scans: scans/a.png with its text in scans/a.txt, and so on.

python examples/sweep_scans.py scans --plan    # what would be trained and measured
python examples/sweep_scans.py scans           # the sweep; the same command goes on after Ctrl-C
python -m analysis.report --name scans         # the report
"""

import json
import sys
from pathlib import Path

from sweep import run
from tfic.pages.images import SUFFIXES


def write_metadata(scans: Path) -> int:
    """Write metadata.jsonl, which a folder of test images needs: one line for each image. Return their number.

    To train on scans, too, each line also needs the text lines with their corners, "lines": docs/use.md has the form.

    Raises:
        ValueError: when the folder has other metadata; nothing is overwritten.
    """
    images = sorted(path for path in scans.iterdir() if path.suffix.lower() in SUFFIXES)
    truths = [path.with_suffix(".txt").read_text(encoding="utf-8").strip() for path in images]
    rows = ({"file_name": path.name, "text": truth} for path, truth in zip(images, truths, strict=True))
    text = "".join(json.dumps(row) + "\n" for row in rows)
    metadata = scans / "metadata.jsonl"
    if metadata.exists() and metadata.read_text(encoding="utf-8") != text:
        raise ValueError(f"{metadata} says something else; remove it, or give the folder to sweep.run --test-data")
    metadata.write_text(text, encoding="utf-8")
    return len(images)


def main() -> int:
    scans, *options = sys.argv[1:]
    print(f"{write_metadata(Path(scans))} scans to test on")
    # Codecs are trained on synthetic images, with the settings of the recipe, and measured on the scans.
    # One training for each gamma serves every rate; its codec is measured at each lambda.
    sweep = ["--name", "scans", "--recipe", "demo", "--test-data", scans]
    sweep += ["--lmbdas", "0.0016", "0.0064", "--gammas", "0.5"]
    # run.main is `python -m sweep.run`; further options, such as --plan or --gpu-hours 8, are passed on.
    return run.main([*sweep, *options])


if __name__ == "__main__":
    sys.exit(main())
