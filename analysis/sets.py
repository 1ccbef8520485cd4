"""Test sets of a sweep: a point belongs to the set that it was measured on, and only points of one set compare.

A set is everything that decides a measurement: the images to the byte, the settings of [eval] and the version of
measuring (`tfic.config.MEASURING_VERSION`). The same images measured in two ways are two sets.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from analysis import readers
from analysis.records import StoredRun, decided
from tfic.config import MEASURING_VERSION

MEASURED = ("test_count", "test_dir", "test_drawn", "eval", "measuring_version")
"""What decides a measurement, by its names among all that decides a run's key."""
DRAWN = ("seed", "height_px", "width_px", "background_dir", "font_dir", "document_share")
"""Parameters of [data] that say which images were drawn."""
NO_MATTER = "pictures"
"""The setting of [eval] that decides no number."""


@dataclass(frozen=True)
class TestSet:
    """The images that some runs were measured on, and how."""

    identity: str
    """Tells one set from another: the images, how many they are, and how they were measured."""
    place: str
    """Folder of the images; "" for drawn ones."""
    about: str
    """The set in a few words."""

    def name(self) -> str:
        """A short name for the command line."""
        return PurePath(self.place).name or "drawn" if self.place else "drawn"


def of_run(run: StoredRun, runs: Mapping[str, StoredRun]) -> TestSet:
    """The test set of a run; `runs` by trial key has those whose codecs it started from."""
    facts = _measured(run, runs) or _stated(run.params)
    place = run.params.get("data.test_dir", "")
    settings = {name: value for name, value in facts["eval"].items() if name != NO_MATTER}
    said = [_folder(place, facts) if place else _drawn(facts), *_reading(settings)]
    version = facts.get("measuring_version", 1)
    if version != MEASURING_VERSION:
        said.append(f"measured by version {version}")
    return TestSet(json.dumps({**facts, "eval": settings}, sort_keys=True), place, ", ".join(said))


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


def _measured(run: StoredRun, runs: Mapping[str, StoredRun]) -> dict[str, Any]:
    """What decided the measurement of a run, or that of the run it started from; {} where neither says."""
    decides = decided(run, runs, "eval")
    return {name: decides[name] for name in MEASURED if name in decides}


def _stated(params: Mapping[str, str]) -> dict[str, Any]:
    """The same by the parameters of a run, of stores that say no more."""
    settings = {name.removeprefix("eval."): value for name, value in params.items() if name.startswith("eval.")}
    found = {"test_count": params.get("data.test_count", ""), "eval": settings}
    if place := params.get("data.test_dir", ""):
        return found | {"test_dir": place}
    drawn = {name: params.get(f"data.{name}", "") for name in DRAWN}
    return found | {"test_drawn": {name: value for name, value in drawn.items() if value not in ("", "0.0")}}


def _folder(place: str, facts: Mapping[str, Any]) -> str:
    contents = f", contents {_short(facts['test_dir'])}" if facts["test_dir"] != place else ""
    return f"{place}, at most {facts['test_count']} images{contents}"


def _drawn(facts: Mapping[str, Any]) -> str:
    drawn = facts["test_drawn"]
    said = [f"{facts['test_count']} drawn images".strip()]
    if {"height_px", "width_px", "seed"} <= drawn.keys():
        said.append(f"{drawn['height_px']} x {drawn['width_px']} pixels, seed {drawn['seed']}")
    for name, words in (("document_share", "a share of {} of documents"), ("font_dir", "fonts {}"),
                        ("background_dir", "backgrounds {}"), ("version", "drawn by version {}")):  # fmt: skip
        if name in drawn:
            said.append(words.format(_short(drawn[name])))
    return ", ".join(said)


def _reading(settings: Mapping[str, Any]) -> list[str]:
    """The settings of [eval] in words; none where a run states none."""
    if not settings:
        return []
    named = [readers.TESSERACT] if str(settings.get("heldout")) == "True" else []
    named += [name for name in settings.get("readers", "").split("+") if name]
    held = [readers.title(name) if name in readers.HELDOUT else name for name in named]
    said = [f"detector's short side {settings['detect_side_px']}"] if "detect_side_px" in settings else []
    said.append(f"held out {' and '.join(held)}" if held else "no held-out reader")
    return [*said, *(task for task in settings.get("tasks", "").split("+") if task)]


def _short(value: object) -> str:
    """A value for people: of a digest the first digits."""
    text = str(value)
    return text[:10] if re.fullmatch(r"[0-9a-f]{64}", text) else text
