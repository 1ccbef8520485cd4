"""Words with their boxes, joined to lines."""

from collections.abc import Iterable
from dataclasses import dataclass

from tfic.importing.candidate import rectangle
from tfic.pages.lines import Line

MOST_GAP = 1.5
"""Widest gap between two words of a line, in heights of the line; beyond it begins another column."""


@dataclass(frozen=True)
class Word:
    """A run of characters without blanks."""

    text: str
    """Its characters."""
    left: float
    """Left side of its box in pixels."""
    top: float
    """Upper side, y downwards."""
    right: float
    """Right side."""
    bottom: float
    """Lower side."""


@dataclass(eq=False)
class _Row:
    """Words that are joined, and the box around them."""

    words: list[Word]
    left: float
    top: float
    right: float
    bottom: float

    def takes(self, word: Word) -> bool:
        """Return True when the word belongs to the row."""
        height = self.bottom - self.top
        if min(self.bottom, word.bottom) - max(self.top, word.top) < 0.5 * min(height, word.bottom - word.top):
            return False
        return max(word.left - self.right, self.left - word.right) <= MOST_GAP * height

    def line(self) -> Line:
        """The row as a line."""
        text = " ".join(word.text for word in sorted(self.words, key=lambda each: each.left))
        return Line(text, rectangle(self.left, self.top, self.right, self.bottom))


def lines_of(words: Iterable[Word]) -> list[Line]:
    """Lines of upright words, which may come in any order.

    Words are of one line when they share a row (they overlap by half of the lower height) and no gap between columns
    lies between them.
    """
    rows: list[_Row] = []
    for word in words:
        mine = [row for row in rows if row.takes(word)]
        joined = [each for row in mine for each in row.words] + [word]
        left, top = min(each.left for each in joined), min(each.top for each in joined)
        right, bottom = max(each.right for each in joined), max(each.bottom for each in joined)
        rows = [row for row in rows if row not in mine] + [_Row(joined, left, top, right, bottom)]
    return [row.line() for row in rows]
