"""Results in CompressAI's JSON, one file per codec: read, to be shown beside a sweep, and written.

    {"name": "mbt2018-mean", "description": "...", "results": {"bpp": [...], "psnr-rgb": [...], "ms-ssim-rgb": [...],
     "encoding_time": [seconds], "decoding_time": [seconds]}}

Source: CompressAI 1.2.8, compressai/utils/bench and eval_model; earlier files have "psnr" and "ms-ssim". Accuracies of
readers are not part of that form: they are written under their own names, and read where they are there.
"""

import itertools
import json
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.curves import by_family
from analysis.runs import CLASSICAL, FAMILIES, METRICS
from analysis.sweep_data import lossy

NAMES = {"bpp": "bpp", "psnr-rgb": "psnr_db", "psnr": "psnr_db", "ms-ssim-rgb": "ms_ssim", "ms-ssim": "ms_ssim"}
"""Our measures by CompressAI's names; the first name of each is the one that is written."""
TIMES = {"encoding_time": "encode_ms", "decoding_time": "decode_ms"}
"""Those that CompressAI has in seconds."""
PUBLISHED = "published"
"""Kind of a point that was read from such a file."""


def read(file: Path, taken: Collection[str] = ()) -> pd.DataFrame:
    """The points of a file, with the columns of `runs.Sweep.points`.

    Args:
        file: The file.
        taken: Names of families that are not those of the file; one that has such a name is called "NAME (published)".

    Raises:
        ValueError: when the file cannot be read or is not of that form; says what is wrong with it.
    """
    try:
        name, columns = _columns(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror}); name a results file of CompressAI") from error
    except ValueError as error:
        form = isinstance(error, (UnicodeDecodeError, json.JSONDecodeError))
        why = f"it is not JSON in UTF-8 ({error})" if form else str(error)
        raise ValueError(
            f"{file} is no results file of CompressAI: {why}; wanted are `name`, and `results` with lists of one length"
        ) from error
    name = _free(name, {each.casefold() for each in taken})
    count = len(columns["bpp"])
    points = pd.DataFrame({metric: columns.get(metric, [math.nan] * count) for metric in METRICS})
    return points.assign(
        trial_key=[f"{name}-{number}" for number in range(count)], kind=PUBLISHED, family=name, codec=name,
        label=[f"{name} {number + 1}" for number in range(count)], variant="",
        lmbda=math.nan, gamma=math.nan, quality=math.nan, seed=math.nan, trained_against="", trained_for="", host="",
        run_id="", parent=None, stage_1="", continued="", warm_lmbda=math.nan,
    )  # fmt: skip


def _columns(found: Any) -> tuple[str, dict[str, list[float]]]:
    """Name and measures of what a file holds, by our names; ValueError says what is missing or wrong."""
    if not isinstance(found, dict) or not isinstance(found.get("results", {}), dict):
        raise ValueError(f"{'`results`' if isinstance(found, dict) else 'the whole'} is no JSON object, {{...}}")
    missing = [key for key in ("name", "results") if key not in found]
    missing += ["results.bpp"] if "results" in found and "bpp" not in found["results"] else []
    if missing:
        raise ValueError(f"it has no {' and no '.join(f'`{key}`' for key in missing)}")
    results = found["results"]
    ours = {**NAMES, **TIMES, **{each: each for each in METRICS}}
    lists = {theirs: _numbers(theirs, results[theirs]) for theirs in ours if theirs in results}
    lengths = {theirs: len(values) for theirs, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"its lists differ in length: {', '.join(f'`{key}` {n}' for key, n in lengths.items())}")
    if not lists["bpp"]:
        raise ValueError("its lists are empty")
    return str(found["name"]), {
        ours[theirs]: [1000 * value for value in values] if theirs in TIMES else values
        for theirs, values in lists.items()
    }


def _numbers(key: str, values: Any) -> list[float]:
    """The numbers of a list; ValueError names the list that has something else."""
    if not isinstance(values, list) or not all(isinstance(value, (int, float)) for value in values):
        raise ValueError(f"`{key}` is no list of numbers")
    return [float(value) for value in values]


def with_published(points: pd.DataFrame, files: Sequence[Path]) -> pd.DataFrame:
    """The points of a sweep and of files, by rising rate; each file is a family of its own."""
    tables, taken = [points] if len(points) else [], {*FAMILIES.values(), *CLASSICAL.values(), *points["family"]}
    for file in files:
        tables.append(read(file, taken))
        taken |= set(tables[-1]["family"])
    return pd.concat(tables, ignore_index=True).sort_values(["bpp", "trial_key"], ignore_index=True)


def _free(name: str, taken: Collection[str]) -> str:
    """A name that is none of `taken`, whatever its case."""
    names = itertools.chain([name, f"{name} (published)"], (f"{name} (published, {n})" for n in itertools.count(2)))
    return next(each for each in names if each.casefold() not in taken)


def write(points: pd.DataFrame, sweep: str, folder: Path) -> list[Path]:
    """Write a file for each of the sweep's families of codecs into a folder, which is made; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for family, own in by_family(lossy(points[points["kind"] != PUBLISHED])):
        results = {}
        own = own.sort_values("bpp")
        first = {ours: theirs for theirs, ours in reversed(NAMES.items())}
        for metric in METRICS:
            if own[metric].notna().all():
                times = {ours: theirs for theirs, ours in TIMES.items()}
                scale = 1000.0 if metric in times else 1.0
                name = first.get(metric) or times.get(metric) or metric
                results[name] = [value / scale for value in own[metric]]
        found = {"name": family, "description": f"sweep {sweep}: {', '.join(own['label'])}", "results": results}
        file = folder / f"{re.sub('[^a-z0-9]+', '-', family.lower()).strip('-')}.json"
        file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        written.append(file)
    return written
