"""The files that runs keep of a few test images: reconstructions, where their bits went and what readers read.

A file is read when it is asked for, where it lies or from the store.
"""

import tempfile
from pathlib import Path

from analysis.runs import Sweep, here, opened
from tfic.measuring import details
from tfic.measuring.details import Details
from tfic.measuring.row import PICTURES


def names(sweep: Sweep, trial_key: str) -> list[str]:
    """Names of a run's reconstructions (of originals for the uncompressed reference) and of the file beside them."""
    folder = here(str(sweep.metadata.at[trial_key, "place"]), PICTURES)
    if folder is not None:
        return sorted(file.name for file in folder.iterdir())
    return sorted(
        Path(each.path).name for each in opened(sweep.uri).list_artifacts(_run_id(sweep, trial_key), PICTURES)
    )


def file(sweep: Sweep, trial_key: str, name: str) -> bytes:
    """One of those files."""
    lies = here(str(sweep.metadata.at[trial_key, "place"]), f"{PICTURES}/{name}")
    if lies is not None:
        return lies.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        run_id = _run_id(sweep, trial_key)
        return Path(opened(sweep.uri).download_artifacts(run_id, f"{PICTURES}/{name}", folder)).read_bytes()


def known(sweep: Sweep, trial_key: str, files: list[str]) -> dict[str, Details]:
    """What a run keeps beside its reconstructions, by test image; {} where `files`, its names, hold nothing of it."""
    return details.parse(file(sweep, trial_key, details.FILE)) if details.FILE in files else {}


def _run_id(sweep: Sweep, trial_key: str) -> str:
    return str(sweep.points.set_index("trial_key").at[trial_key, "run_id"])
