"""Run directories that were trained elsewhere: found, checked, and named by the key that a sweep would give them.

    RUN/codec.safetensors   the codec of a training that has ended; its header has the settings
    RUN/half.safetensors    the same in half precision; where there is one, it is the codec that was measured
    RUN/measured            its measurement: rows.csv, comparison.png, pictures/; or the place to make it
    RUN/pretrain, RUN/warm  run directory of stage 1, or of what stage 1 started from, where it was trained on the way
    RUN/state.pt            a training that has not ended

Two things are not in a header and are assumed: that this version drew the images and trained, and that stage 2 started
from stage 1 of the same settings.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from sweep.spec.axes import Space
from sweep.spec.presets import absolute
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from tfic.checkpoints.checkpoint import config_of, load
from tfic.config import CODEC_FILE, DataConfig
from tfic.data import METADATA, test_pages
from tfic.measuring.row import ROWS_FILE, Row, read_rows
from tfic.training.training_state import STATE_FILE

HALF_FILE = "half.safetensors"
"""The codec in half precision, as `scripts/finetune_foundation.py` leaves it."""
MEASURED_FOLDER = "measured"
"""Folder of a run directory for its measurement."""
EARLIER = frozenset(("pretrain", "warm"))
"""Folders of a run directory for the trainings that it started from, as `tfic.training.train.fit` names them."""
COPIES = frozenset(("checkpoint", "start"))
"""Folders in which a trial, or a store, has copies of codecs of other directories."""
NEARLY = 0.05
"""Largest relative difference of a file size from the recorded one: processors may code a few symbols differently."""


@dataclass(frozen=True)
class Finished:
    """A training that has ended, as a trial."""

    folder: Path
    """Its run directory."""
    checkpoint: Path
    """The file of its codec: the half precision one if there is one."""
    sweep: Sweep
    """The sweep that would have trained it."""
    trial: Trial
    """Its trial in that sweep."""


def find(folder: Path) -> tuple[list[Path], list[Path]]:
    """The run directories at a folder and under it: those that have ended, stage 1 first, and those that have not.

    Links to folders are not followed. A training that has not saved any state yet is not seen, unless its stage 1 is.
    """
    ended, begun = (folder / CODEC_FILE).is_file(), (folder / STATE_FILE).is_file()
    inside = [each for each in sorted(folder.iterdir()) if each.is_dir() and not each.is_symlink()]
    finished: list[Path] = []
    unfinished: list[Path] = []
    holding = []
    for each in inside:
        if each.name in COPIES or ((ended or begun) and each.name not in EARLIER):
            continue
        found = find(each)
        finished += found[0]
        unfinished += found[1]
        holding += [each.name] if any(found) else []
    if ended:
        finished.append(folder)
    elif begun or (holding and EARLIER.issuperset(holding)):
        unfinished.append(folder)
    return finished, unfinished


def finished(folder: Path, sweep: str, train_data: str = "", test_data: str = "") -> Finished:
    """The trial that a run directory is.

    Args:
        folder: The run directory.
        sweep: Name of the sweep.
        train_data: Where the folder of its training images lies here, if it has one.
        test_data: Where the folder of its test images lies here, if it has one.

    Raises:
        ValueError: when its codec is damaged, or its folders of images are not here.
    """
    half = folder / HALF_FILE
    checkpoint = half if half.is_file() else folder / CODEC_FILE
    config = config_of(checkpoint)
    data = _here(config.data, train_data, test_data)
    warm = config.warm_lmbda
    space = Space(lmbdas=(config.lmbda, warm), warm_start=warm) if warm else Space()
    whole = Sweep(name=sweep, space=space, codec=config.codec, data=data, train=config.train, eval=config.eval)
    trial = whole.control(config.lmbda) if config.control else whole.pretrain(config.lmbda)
    trial = whole.finetune(config.lmbda, config.gamma) if config.gamma else trial
    return Finished(folder, checkpoint, whole, trial)


def measurement(run: Finished) -> list[Row]:
    """The rows of a run directory's measurement; none if there is none.

    Raises:
        ValueError: when they are damaged, or not of this codec on the test images of its settings.
    """
    path = run.folder / MEASURED_FOLDER / ROWS_FILE
    if not path.is_file():
        return []
    rows, pages = read_rows(path), test_pages(run.trial.config.data)
    again = f"remove {path.parent}, and it is measured again"
    if [(row.image, row.truth) for row in rows] != [(page.name, page.text) for page in pages]:
        raise ValueError(f"{path} has other images than the {len(pages)} test images of the codec's settings; {again}")
    size = len(load(run.checkpoint).encode(Image.fromarray(pages[0].image)))
    if abs(rows[0].file_bytes - size) > NEARLY * size:
        raise ValueError(
            f"{path} is of another codec: {run.checkpoint.name} takes {size} bytes for {rows[0].image}, "
            f"where it says {rows[0].file_bytes}; {again}"
        )
    return rows


def _here(data: DataConfig, train_data: str, test_data: str) -> DataConfig:
    """`data` with the folders of images where they lie on this machine."""
    if data.train_dir and train_data:
        data = replace(data, train_dir=train_data)
    if data.test_dir and test_data:
        data = replace(data, test_dir=test_data)
    data = absolute(data)
    for name, flag in (("train_dir", "--train-data"), ("test_dir", "--test-data")):
        place = getattr(data, name)
        if place and not (Path(place) / METADATA).is_file():
            raise ValueError(f"its {name} {place} is not here; give the place of those images with {flag}")
    return data
