"""A page of a source that may be taken: the form in which every kind of source hands over its pages."""

from collections.abc import Callable
from dataclasses import dataclass

from tfic.pages.lines import Page, Quad


@dataclass(frozen=True)
class Skipped:
    """A page that is right and has no use here."""

    reason: str
    """The reason, to be counted: without numbers and names of its own."""


@dataclass(frozen=True)
class Candidate:
    """A page that is read when it is asked for."""

    name: str
    """Path of its image in the folder that is written, whatever its ending."""
    read: Callable[[], Page | Skipped]
    """Reads it; ValueError for one that is wrong."""


def rectangle(left: float, top: float, right: float, bottom: float) -> Quad:
    """The corners of an upright rectangle, clockwise from its top left, to a hundredth of a pixel."""
    left, top, right, bottom = (round(each, 2) for each in (left, top, right, bottom))
    return (left, top), (right, top), (right, bottom), (left, bottom)
