"""Labels that people have, with what becomes of them: two tables of docs/files.md and of the tests."""

from dataclasses import dataclass, field
from typing import Any

SQUARE = [[1, 1], [20, 1], [20, 9], [1, 9]]


@dataclass(frozen=True)
class Fold:
    """Two ways of writing a text, and whether they are the same to every comparison."""

    comes: str
    """What comes, for people."""
    becomes: str
    """What becomes of it, for people."""
    pairs: tuple[tuple[str, str], ...]
    """Two texts each."""
    same: bool
    """Whether they compare as equal."""


@dataclass(frozen=True)
class Labelled:
    """A record of `metadata.jsonl`."""

    comes: str
    """What comes, for people."""
    becomes: str
    """What becomes of it, for people."""
    record: dict[str, Any]
    """What it changes in a record that is right."""
    lines: list[str] = field(default_factory=list)
    """Texts of the lines that are read then."""
    ignored: int = 0
    """Regions that are not to be read then."""
    refused: str = ""
    """Words of the refusal, if it is refused."""


FOLDS = (
    Fold(
        "letters with accents, composed (NFC) or decomposed (NFD)",
        "the same: everything is composed",
        (("Caf\u00e9", "Cafe\u0301"), ("\u1ec7", "e\u0323\u0302"), ("\uac00", "\u1100\u1161")),
        True,
    ),
    Fold(
        "spaces: no-break, thin, ideographic, tabs, several in a row",
        "one space; none at the ends of a line",
        (("a b", "a\u00a0b"), ("a b", "a\u2009\u202fb"), ("a b", " a\u3000b\t"), ("a b", "a  b")),
        True,
    ),
    Fold("upper and lower case", "different", (("Total", "TOTAL"),), False),
    Fold(
        "compatibility forms: ligatures, full-width letters, superscripts",
        "different: nothing is folded",
        (("fi", "\ufb01"), ("A", "\uff21"), ("2", "\u00b2"), ("...", "\u2026")),
        False,
    ),
    Fold(
        "quotation marks and apostrophes, straight or curly",
        "different: nothing is folded",
        (('"', "\u201c"), ("'", "\u2019"), ('"', "\u00ab")),
        False,
    ),
    Fold(
        "hyphen, dashes, minus",
        "different: nothing is folded",
        (("-", "\u2013"), ("-", "\u2014"), ("-", "\u2212"), ("-", "\u2010")),
        False,
    ),
    Fold(
        "soft hyphens and spaces of no width",
        "characters like others",
        (("ab", "a\u00adb"), ("ab", "a\u200bb")),
        False,
    ),
)


def one(text: str, quad: Any = SQUARE) -> dict[str, Any]:
    """A record with one line."""
    return {"lines": [{"text": text, "quad": quad}]}


LABELS = (
    Labelled(
        "a line with `###`, or without text",
        "a region that is not to be read: it is no line of the truth, is never trained on, and what a reader finds "
        "there (by at least half of its area) counts neither for nor against",
        {"lines": [{"text": text, "quad": SQUARE} for text in ("a", "###", " ### ", "", " ")]},
        ["a"],
        4,
    ),
    Labelled(
        "`###` in the text of a page whose lines are not given",
        "refused: nothing says where the region is",
        {"text": "a\n###", "lines": None},
        refused="has '###' in its text and no 'lines'",
    ),
    Labelled(
        "half of a character (a lone surrogate)",
        "refused, with the number of the line",
        one("a\ud83d"),
        refused="lone surrogates",
    ),
    Labelled(
        "a corner outside of the image by at most a pixel",
        "moved onto it for training; annotators round",
        one("a", [[-0.5, 1], [20, 1], [20, 9], [-0.5, 9]]),
        ["a"],
    ),
    Labelled(
        "a corner farther outside, no number, or a number that is none of pixels",
        "refused, with the number of the line",
        one("a", [[1, 1], [10**400, 1], [20, 9], [1, 9]]),
        refused="quad is",
    ),
    Labelled(
        "a byte order mark before the first line",
        "left out",
        one("a"),
        ["a"],
    ),
)
