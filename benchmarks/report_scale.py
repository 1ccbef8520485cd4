"""The time that the table and the report of a large sweep take: a store of cloned fine-tunings, made here.

    python benchmarks/report_scale.py                    1,000 and then 10,000 runs
    python benchmarks/report_scale.py --runs 300 --keep FOLDER   keep the store, to look at its report

The store is one that a sweep fills, with measurements from a formula; its fine-tunings are copied row by row in the
database, each with other weights, metrics and rows.csv. Wanted: 10,000 runs in the table within 10 s, in the report
within 20 s.
"""

import argparse
import io
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from timing import table

from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from sweep.store.tracking import Tracker
from tfic.measuring.row import PICTURES, ROWS_FILE, Row, means, write_rows

IMAGES = 32
"""Test images, as in the demo."""
PICTURE_COUNT = 4
"""Of which each run keeps this many reconstructions."""
LMBDAS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)
TRUTHS = [f"Invoice {2041 + i}\nTotal {118.4 + i:.2f} EUR\nRoom 27b, 3 March" for i in range(IMAGES)]


def swept(name: str) -> Sweep:
    """The sweep before cloning: six lambdas with one fine-tuning and one control each, and the classical codecs."""
    classical = Qualities(jpeg=(3, 10, 30), webp=(0, 10, 40), avif=(5, 20, 40, 60))
    space = Space(LMBDAS, (1.0,), controls=True, classical=classical)
    base = preset("tiny")
    return replace(base, name=name, space=space, data=replace(base.data, test_count=IMAGES))


def rows_of(kind: str, bpp: float, skill: float, psnr_db: float, rng: np.random.Generator) -> list[Row]:
    """Rows of a codec: accuracy is a logistic of its skill minus the page's difficulty."""
    pages = np.random.default_rng(0)
    hard, spread = pages.normal(0, 1.2, IMAGES), pages.normal(0, 0.08, IMAGES)
    own = rng.normal(0, 0.25, IMAGES)
    reads = 1 / (1 + np.exp(-(skill - hard + own)))
    heldout = 1 / (1 + np.exp(-(0.9 * skill - hard - 0.3 + own)))
    encode = 2.0 if kind == "classical" else 30.0
    rows = []
    for i, truth in enumerate(TRUTHS):
        kept = round(len(truth) * reads[i])
        size = bpp * math.exp(spread[i])
        rows.append(
            Row(
                f"test-{i:05d}.png", 256, 256, round(size * 8192), size, size * 0.9, math.nan, psnr_db + own[i],
                psnr_db - 1, psnr_db + 1, 0.9, reads[i], reads[i], 1 - reads[i], heldout[i], encode, encode * 0.9,
                180.0, truth, truth[:kept] + "~" * (len(truth) - kept),
            )
        )  # fmt: skip
    return rows


def skill_of(lmbda: float, gamma: float) -> tuple[float, float, float]:
    """Rate, skill of reading and PSNR on a smooth surface of lambda and gamma."""
    bpp = 0.05 * (lmbda / 0.001) ** 0.6 * (1 + 0.2 * math.log1p(gamma))
    return bpp, 2 + 1.1 * math.log2(bpp / 0.1) + 1.2 * math.log1p(gamma), 27 + 3 * math.log2(bpp / 0.1) - gamma**0.3


def settings_of(trial: Trial) -> tuple[float, float, float]:
    """Rate, skill and PSNR of a trial."""
    if trial.kind == "uncompressed":
        return 9.0, 4.0, math.inf
    if trial.kind == "classical":
        bpp = {"jpeg": 0.3, "webp": 0.15, "avif": 0.08}[trial.config.codec] * (1 + trial.quality / 12)
        return bpp, 1.5 + 1.1 * math.log2(bpp / 0.2), 26 + 3 * math.log2(bpp / 0.2)
    return skill_of(trial.config.lmbda, trial.config.gamma)


def picture(number: int, skill: float) -> bytes:
    """A page as PNG, the blurrier the less is read of it."""
    page = Image.new("RGB", (256, 256), (238, 232, 220))
    draw = ImageDraw.Draw(page)
    draw.rectangle((150, 150, 240, 240), fill=(120, 160, 190))
    draw.multiline_text((12, 20), TRUTHS[number], fill=(40, 30, 60), font_size=20, spacing=18)
    out = io.BytesIO()
    page.filter(ImageFilter.GaussianBlur(max(0.0, (4 - skill) / 2))).save(out, "PNG")
    return out.getvalue()


def fill(folder: Path, count: int) -> str:
    """A store with a sweep of `count` finished runs, and its address."""
    uri, sweep = f"sqlite:///{folder}/mlflow.db", swept("scale")
    tracker, rng = Tracker(uri, sweep.name), np.random.default_rng(1)
    for trial in sweep.grid():
        bpp, skill, psnr_db = settings_of(trial)
        files = folder / "files" / trial.key
        (files / PICTURES).mkdir(parents=True)
        rows = rows_of(str(trial.kind), bpp, skill, psnr_db, rng)
        write_rows(rows, files / ROWS_FILE)
        for number in range(PICTURE_COUNT):
            (files / PICTURES / f"test-{number:05d}.png").write_bytes(picture(number, skill))
        run = tracker.start(trial)
        tracker.tag(run, {"device": "cpu", "git_commit": "0123abc", "host": "made", "versions": "none"})
        tracker.finish(run, means(rows) | {"seconds": 60.0, "gpu_hours": 0.02}, files)
    clone(folder / "mlflow.db", count, rng)
    return uri


def clone(file: Path, count: int, rng: np.random.Generator) -> None:
    """Copy the fine-tunings until there are `count` runs, each with another gamma and its own measurements."""
    with sqlite3.connect(file) as database:
        sources = database.execute(
            "SELECT runs.run_uuid, artifact_uri, trial.value, lmbda.value, runs.experiment_id FROM runs "
            "JOIN tags AS trial ON trial.run_uuid = runs.run_uuid AND trial.key = 'trial_key' "
            "JOIN tags AS kind ON kind.run_uuid = runs.run_uuid AND kind.key = 'kind' AND kind.value = 'finetune' "
            "JOIN params AS lmbda ON lmbda.run_uuid = runs.run_uuid AND lmbda.key = 'lmbda'"
        ).fetchall()
        (have,) = database.execute("SELECT count(*) FROM runs").fetchone()
        for number in range(count - have):
            source, place, key, lmbda, _ = sources[number % len(sources)]
            run, gamma = f"{number:032x}", float(f"{10 ** rng.uniform(-1.5, 1):.4g}")
            bpp, skill, psnr_db = skill_of(float(lmbda), gamma)
            rows = rows_of("finetune", bpp * math.exp(rng.normal(0, 0.03)), skill + rng.normal(0, 0.1), psnr_db, rng)
            home = Path(unquote(urlsplit(place).path)).parent.parent / run / "artifacts"
            home.mkdir(parents=True)
            write_rows(rows, home / ROWS_FILE)
            (home / PICTURES).mkdir()
            for file in (Path(unquote(urlsplit(place).path)) / PICTURES).iterdir():
                (home / PICTURES / file.name).hardlink_to(file)
            new = {"trial_key": f"{key}-{number}", "gamma": str(gamma), **means(rows)}
            copy(database, source, run, home.as_uri(), new)


def copy(database: sqlite3.Connection, source: str, run: str, place: str, new: dict[str, object]) -> None:
    """Copy one run with everything that the store has of it, but for the new values by name."""
    for name, owner in (("runs", "run_uuid"), ("tags", "run_uuid"), ("params", "run_uuid"),
                        ("metrics", "run_uuid"), ("latest_metrics", "run_uuid")):  # fmt: skip
        cursor = database.execute(f"SELECT * FROM {name} WHERE {owner} = ?", (source,))
        columns = [each[0] for each in cursor.description]
        copies = []
        for values in cursor.fetchall():
            found = dict(zip(columns, values, strict=True)) | {owner: run}
            if name == "runs":
                found |= {"artifact_uri": place, "name": new["trial_key"]}
            elif found["key"] in new:
                found["value"] = new[found["key"]]
            copies.append(tuple(found.values()))
        database.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(columns))})", copies)


def seconds(*command: object) -> str:
    """CPU and wall time of a command of `analysis`, which must succeed; the former hardly knows of other programs."""
    began, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-m", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    used = os.times()
    cpu = used.children_user + used.children_system - before.children_user - before.children_system
    return f"{cpu:.1f} s ({time.perf_counter() - began:.1f} s)"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the stores and print the times."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, nargs="+", default=[1000, 10_000], help="runs of each store")
    options.add_argument("--keep", type=Path, help="folder for the stores, which stay; default a temporary one")
    given = options.parse_args(arguments)
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for count in given.runs:
            folder = (given.keep or Path(temporary)).absolute() / str(count)
            uri = f"sqlite:///{folder}/mlflow.db"
            if not folder.exists():
                folder.mkdir(parents=True)
                began = time.perf_counter()
                fill(folder, count)
                print(f"{count:,} runs made in {time.perf_counter() - began:.0f} s", flush=True)
            out = folder / "report.html"
            pareto = seconds("analysis.pareto", "--json", "--tracking-uri", uri)
            report = seconds("analysis.report", "--tracking-uri", uri, "--out", out)
            found.append([f"{count:,}", pareto, report, f"{out.stat().st_size / 1e6:.1f} MB"])
            print(found[-1], flush=True)
    print(table(["runs", "pareto --json, CPU (wall)", "report, CPU (wall)", "size"], found))


if __name__ == "__main__":
    main()
