"""Test sets of a sweep: a point belongs to the set that it was measured on, and only points of one set compare."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from analysis.records import StoredRun

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
    place, count = params.get("data.test_dir", ""), params.get("data.test_count", "")
    if place:
        decided = _decided(run, runs)
        identity = f"{decided or place} {count}"
        return TestSet(identity, place, f"{place}, at most {count} images")
    drawn = [params.get(name, "") for name in DRAWN]
    size = f", {drawn[1]} x {drawn[2]} pixels, seed {drawn[0]}" if drawn[0] else ""
    return TestSet(json.dumps([*drawn, count]), "", f"{count} drawn images{size}".strip())


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


def _decided(run: StoredRun, runs: Mapping[str, StoredRun]) -> str:
    """Digest of the test images that went into a run's key, or into that of the run that it started from."""
    seen: set[str] = set()
    while run.run_id not in seen:
        seen.add(run.run_id)
        digest = json.loads(run.tags.get("decides", "{}")).get("test_dir")
        if digest:
            return str(digest)
        run = runs.get(run.tags.get("parent", ""), run)
    return ""
