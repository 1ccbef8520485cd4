"""Test sets of a sweep: a point belongs to the set that it was measured on, and only points of one set compare.

Two versions of measuring (`tfic.config.MEASURING_VERSION`) make two sets of the same images.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from analysis.records import StoredRun
from tfic.config import MEASURING_VERSION

DRAWN = ("data.seed", "data.height_px", "data.width_px", "data.background_dir", "data.font_dir")
"""Parameters of a run that say which images were drawn."""


@dataclass(frozen=True)
class TestSet:
    """The images that some runs were measured on."""

    identity: str
    """Tells one set from another: where the images lie or how they are drawn, how many, and what they hold."""
    place: str
    """Folder of the images; "" for drawn ones."""
    about: str
    """The set in a few words."""

    def name(self) -> str:
        """A short name for the command line."""
        return PurePath(self.place).name or "drawn" if self.place else "drawn"


def of_run(run: StoredRun, runs: Mapping[str, StoredRun]) -> TestSet:
    """The test set of a run; `runs` by trial key has those whose codecs it started from."""
    params = run.params
    version = int(_decided(run, runs, "measuring_version") or 1)
    measured = "" if version == MEASURING_VERSION else f", measured by version {version}"
    place, count = params.get("data.test_dir", ""), params.get("data.test_count", "")
    if place:
        decided = _decided(run, runs, "test_dir")
        identity = f"{decided or place} {count}{measured}"
        return TestSet(identity, place, f"{place}, at most {count} images{measured}")
    drawn = [params.get(name, "") for name in DRAWN]
    size = f", {drawn[1]} x {drawn[2]} pixels, seed {drawn[0]}" if drawn[0] else ""
    if (share := params.get("data.document_share", "0.0")) != "0.0":
        drawn.append(share)
        size += f", a share of {share} of documents"
    return TestSet(json.dumps([*drawn, count]) + measured, "", f"{count} drawn images{size}{measured}".strip())


def names(sets: Mapping[str, TestSet]) -> dict[str, str]:
    """Identities of sets by names that are unique among them."""
    by_name: dict[str, list[str]] = {}
    for identity, each in sets.items():
        by_name.setdefault(each.name(), []).append(identity)
    return {
        name if len(some) == 1 else f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:6]}": identity
        for name, some in by_name.items()
        for identity in some
    }


def _decided(run: StoredRun, runs: Mapping[str, StoredRun], name: str) -> str:
    """An entry of what decided a run's key, or that of the run that it started from; "" where there is none."""
    seen: set[str] = set()
    while run.run_id not in seen:
        seen.add(run.run_id)
        value = json.loads(run.tags.get("decides", "{}")).get(name)
        if value:
            return str(value)
        run = runs.get(run.tags.get("parent", ""), run)
    return ""
