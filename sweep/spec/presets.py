"""Sweeps by name, and the file that changes them: a recipe's settings with sweep.toml laid over them.

sweep.toml, every key optional:

    recipe = "scratch"
    name = "receipts"
    codec = "tic-small"
    [space]
    lmbdas = [0.001, 0.003]
    gammas = [0.3, 1.0]
    trials = 2
    lmbda_shares = [0.0, 1.0]
    keep_every = 100
    readings = ["ctc", "features"]
    learns = ["all", "encoder"]
    readers = ["ppocr", "ppocr=1,easyocr=0.5"]
    tasks = ["reading", "reading=1,detection=0.5"]
    rest_distortions = [0.1, 1.0]
    controls = true
    halfway = true
    [space.classical]
    jpeg = [1, 5, 20]
    [data]
    train_dir = "receipts/train"
    [train]
    finetune_steps = 3000
    [eval]
    heldout = false
    [limits]
    gpu_hours = 20.0
    target = "accuracy>=0.95"
"""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep.spec.axes import Qualities, Space
from sweep.spec.space import Sweep
from tfic.config import DataConfig
from tfic.reader_names import trained_against
from tfic.recipes import recipe
from tfic.strict import from_mapping
from tfic.task_names import trained_for

SUMS: dict[str, Callable[[str], str]] = {"readers": trained_against, "tasks": trained_for}
"""Settings that are sums of names, and how one is read."""
FEW = Qualities(jpeg=(5, 15, 40), webp=(0, 20, 50), avif=(10, 25, 45))
"""Classical codecs for a small test set."""
LOW = Qualities(jpeg=(5,), webp=(0, 20), avif=(10, 25))
"""Those of them whose rates are near those of the demo."""
SPACES: dict[str, Space] = {
    "tiny": Space((0.003,), (1.0,), classical=Qualities(jpeg=(10,), webp=(10,), avif=(20,))),
    "demo": Space(lmbdas=(0.0012, 0.002, 0.0032, 0.0052), gammas=(2.0,), controls=True, classical=LOW),
    "scratch": Space(lmbdas=(0.002, 0.004), gammas=(2.0,), controls=True, halfway=True, classical=FEW),
    "base": Space(trials=4, controls=True, halfway=True),
    "paper": Space(trials=8, controls=True, halfway=True),
}
"""The space of each recipe. The public TIC was trained at the lambdas of `base` and `paper`."""


def preset(name: str) -> Sweep:
    """The sweep of a recipe.

    Raises:
        ValueError: when there is no such recipe.
    """
    config = recipe(name)
    return Sweep(name, name, config.codec, SPACES[name], config.data, config.train, config.eval)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ValueError: when it cannot be read or is not TOML, with file and line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text, which TOML must be (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not valid TOML: {error}") from error


def from_tables(tables: dict[str, Any], where: str, recipe_name: str) -> Sweep:
    """The sweep of a recipe with the tables of sweep.toml laid over it.

    Raises:
        ValueError: for an unknown key (naming the nearest) or a bad value; `where` opens the sentence.
    """
    base = preset(recipe_name)
    tables = {key: value for key, value in tables.items() if key != "recipe"}
    tables |= {name: _in_full(tables[name]) for name in ("space", "train") if name in tables}
    try:
        return from_mapping(base, tables, where)
    except ValueError as error:
        if str(error).startswith(where):
            raise
        raise ValueError(f"{where}: {error}") from error


def _in_full(table: Any) -> Any:
    """[space] or [train] with `ppocr=1,easyocr=0.5` as the sum that it stands for, as flags have it."""
    if not isinstance(table, dict):
        return table

    def full(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [full(name, each) for each in value]
        return SUMS[name](value) if isinstance(value, str) else value

    return table | {name: full(name, table[name]) for name in SUMS if name in table}


def absolute(data: DataConfig) -> DataConfig:
    """`data` with folders that mean the same from every working folder."""
    places = ("train_dir", "test_dir", "background_dir", "font_dir")
    found: dict[str, Any] = {name: str(Path(place).absolute()) for name in places if (place := getattr(data, name))}
    return replace(data, **found)
