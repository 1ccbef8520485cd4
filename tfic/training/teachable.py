"""Which lines of a training set can teach reading: counted before stage 2 begins, and the others with their reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tfic.config import Config
from tfic.data import train_pages
from tfic.ocr.training_reader import LineFormat
from tfic.pages import pieces
from tfic.pages.lines import Line, Page
from tfic.reader_names import READERS
from tfic.training.crops import cuts, fits, on_page
from tfic.training.reading import legible, line_formats
from tfic.weights import parse

MOST_PAGES = 100
"""Pages that are looked at; of a larger set so many, evenly spread."""
_NAMED = 12
"""Unknown characters that are named."""


@dataclass(frozen=True)
class Teachable:
    """The number of lines that can be read in training, and the reasons for the others."""

    pages: int
    """Pages of the set."""
    looked_at: int
    """Pages whose lines were counted."""
    lines: int
    """Lines on them, those in regions that are not to be read left out."""
    whole: int
    """Lines that a crop holds whole."""
    cut: int
    """Lines that are wider than a crop and are read in pieces, cut between words."""
    ignored: int
    """Regions that are not to be read: marked `###`, or without text."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Reasons why lines cannot be read, with the number of lines."""
    strangers: Counter[str] = field(default_factory=Counter)
    """Characters that a reader does not know, with the number of lines that have them."""

    def sentence(self) -> str:
        """The counts in one sentence."""
        share = (self.whole + self.cut) / self.lines if self.lines else 0.0
        where = f" on {self.looked_at} of {self.pages:,} pages" if self.looked_at < self.pages else ""
        parts = [f"{self.whole + self.cut:,} of {self.lines:,} lines{where} ({share:.0%}) can be read in training"]
        if self.cut:
            parts.append(f"{self.cut:,} of them in pieces, cut between words")
        parts += [f"{count:,} {reason}" for reason, count in self.reasons.most_common()]
        if self.strangers:
            named = " ".join(f"{each!r}" for each, _ in self.strangers.most_common(_NAMED))
            parts.append(f"unknown: {named}{' ...' if len(self.strangers) > _NAMED else ''}")
        if self.ignored:
            parts.append(f"regions not to be read: {self.ignored:,}")
        return "; ".join(parts)


def of_settings(config: Config) -> Teachable:
    """The count for the training images and crops of some settings.

    Raises:
        ValueError: as `teachable` and `train_pages` do.
    """
    train = config.train
    readers = line_formats(parse(train.readers, READERS, "readers"))
    return teachable(train_pages(config.data), readers, train.crop_height_px, train.crop_width_px, cuts(config.data))


def teachable(
    pages: Sequence[Page],
    readers: Sequence[LineFormat],
    height_px: int,
    width_px: int,
    cut: bool,
    most_pages: int = MOST_PAGES,
) -> Teachable:
    """Count the lines of a set that all readers can read in crops of that size, with `cut` also in pieces.

    Raises:
        ValueError: when there are none in the whole set; says why.
    """
    stride = max(1, -(-len(pages) // most_pages))
    found = _count(pages, range(0, len(pages), stride), readers, height_px, width_px, cut)
    if not (found.whole or found.cut) and stride > 1:
        found = _count(pages, range(len(pages)), readers, height_px, width_px, cut)
    if not (found.whole or found.cut):
        raise ValueError(
            f"the training images teach no reading, which stage 2 is for: {found.sentence()}; correct their labels, "
            f"give larger crops (now {width_px} x {height_px}), or sweep without gammas"
        )
    return found


def _count(
    pages: Sequence[Page], which: range, readers: Sequence[LineFormat], height_px: int, width_px: int, cut: bool
) -> Teachable:
    counts, reasons, strangers = Counter[str](), Counter[str](), Counter[str]()
    for i in which:
        page = pages[i]
        height, width = page.size_px
        counts["ignored"] += len(page.ignored)
        for line in page.lines:
            counts["lines"] += 1
            line = on_page(line, height, width)
            unknown = set[str]().union(*(reader.alphabet.strangers(line.text) for reader in readers))
            strangers.update(sorted(unknown))
            if unknown:
                reasons["with characters that the reader does not know"] += 1
            elif fits(line, height_px, width_px):
                good = _legible(readers, line)
                counts["whole"] += good
                reasons["with more characters than their width has room for"] += not good
            else:
                found = [pieces.joined([word]) for word in pieces.words(line, page.image)] if cut else []
                good = any(fits(word, height_px, width_px) and _legible(readers, word) for word in found)
                counts["cut"] += good
                reasons[f"larger than a crop{', its words not to be told apart' if cut else ''}"] += not good
    return Teachable(
        len(pages), len(which), counts["lines"], counts["whole"], counts["cut"], counts["ignored"], +reasons, strangers
    )


def _legible(readers: Sequence[LineFormat], line: Line) -> bool:
    return all(legible(reader, line) for reader in readers)
