"""Which lines of a training set can teach reading: counted before stage 2 begins, and the others with their reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tfic.config import Config
from tfic.data import train_pages
from tfic.ocr.ppocr import HEIGHT_PX, STRIDE_PX, Alphabet
from tfic.pages import pieces
from tfic.pages.lines import Line, Page
from tfic.reader_names import READERS
from tfic.training import losses
from tfic.training.crops import cuts, fits, on_page
from tfic.training.reading import alphabet_of, steps_of
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
    """Characters that the reader does not know, with the number of lines that have them."""

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
    known = alphabet_of(next(iter(parse(train.readers, READERS, "readers"))))
    return teachable(train_pages(config.data), known, train.crop_height_px, train.crop_width_px, cuts(config.data))


def teachable(
    pages: Sequence[Page], known: Alphabet, height_px: int, width_px: int, cut: bool, most_pages: int = MOST_PAGES
) -> Teachable:
    """Count the lines of a set that can be read in crops of that size, with `cut` also in pieces.

    Raises:
        ValueError: when there are none in the whole set; says why.
    """
    stride = max(1, -(-len(pages) // most_pages))
    found = _count(pages, range(0, len(pages), stride), known, height_px, width_px, cut)
    if not (found.whole or found.cut) and stride > 1:
        found = _count(pages, range(len(pages)), known, height_px, width_px, cut)
    if not (found.whole or found.cut):
        raise ValueError(
            f"the training images teach no reading, which stage 2 is for: {found.sentence()}; correct their labels, "
            f"give larger crops (now {width_px} x {height_px}), or sweep without gammas"
        )
    return found


def _count(pages: Sequence[Page], which: range, known: Alphabet, height_px: int, width_px: int, cut: bool) -> Teachable:
    counts, reasons, strangers = Counter[str](), Counter[str](), Counter[str]()
    for i in which:
        page = pages[i]
        height, width = page.size_px
        counts["ignored"] += len(page.ignored)
        for line in page.lines:
            counts["lines"] += 1
            line = on_page(line, height, width)
            unknown = known.strangers(line.text)
            strangers.update(sorted(unknown))
            if unknown:
                reasons["with characters that the reader does not know"] += 1
            elif fits(line, height_px, width_px):
                counts["whole"] += _has_room(line, known)
                reasons["with more characters than their width has room for"] += not _has_room(line, known)
            else:
                found = [pieces.joined([word]) for word in pieces.words(line, page.image)] if cut else []
                good = any(fits(word, height_px, width_px) and _has_room(word, known) for word in found)
                counts["cut"] += good
                reasons[f"larger than a crop{', its words not to be told apart' if cut else ''}"] += not good
    return Teachable(
        len(pages), len(which), counts["lines"], counts["whole"], counts["cut"], counts["ignored"], +reasons, strangers
    )


def _has_room(line: Line, known: Alphabet) -> bool:
    """Return True when the reader's sequence is long enough to spell a line."""
    return bool(line.text) and losses.ctc_steps(known.encode(line.text)) <= steps_of(line, HEIGHT_PX, STRIDE_PX)
