"""The reading of a page against its truth, in which the order of the lines costs nothing.

Found lines are put in the order of the true ones by their places, where truth has places: each goes to the true line
that it overlaps most, and what overlaps none comes last, in reading order. Where truth is a text without places, found
lines are assigned to its lines by edit distance. The better of this order and of the reading order counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from tfic.measuring import metrics
from tfic.pages.lines import Line, Page, counted, normalise, reading_order

NEARLY_BEST = 0.5
"""A found line may take a true line for itself that it fits at least so well, as a share of the one it fits best."""
LEAST_LIKENESS = 0.3
"""Similarity of two texts, 0 to 1, from which they may be one line."""
BY_PLACES, BY_READING_ORDER, BY_EDIT_DISTANCE = "places", "reading order", "edit distance"
"""The ways in which found lines are put in order."""


@dataclass(frozen=True)
class Score:
    """What a reader found on a page, and how well it agrees with the truth."""

    text: str
    """The text that was read, in the order in which it is compared."""
    order: str
    """The way in which its lines were put in order."""
    accuracy: float
    """`tfic.measuring.metrics.accuracy` of the page."""
    accuracy_words: float
    """`tfic.measuring.metrics.word_accuracy` of the page."""
    cer: float
    """`tfic.measuring.metrics.cer` of the page."""


def score(page: Page, found: Sequence[Line]) -> Score:
    """Compare the lines that a reader found on a page, but for those that do not count, with the truth."""
    lines = counted(found, page.ignored)
    read = _scored(page.text, reading_order(lines), BY_READING_ORDER)
    if page.stated_text is not None:
        assigned = _scored(page.text, in_order_of_texts(lines, page.text.split("\n")), BY_EDIT_DISTANCE)
        return max(read, assigned, key=lambda each: each.accuracy)  # of equal ones the reading order
    if not (page.lines and lines):
        return read
    placed = _scored(page.text, in_order_of_places(lines, reading_order(page.lines)), BY_PLACES)
    return max(placed, read, key=lambda each: each.accuracy)  # what spans several true lines has no one place


def _scored(truth: str, lines: Sequence[Line], order: str) -> Score:
    text = normalise("\n".join(line.text for line in lines))
    accuracy, words, cer = (of(truth, text) for of in (metrics.accuracy, metrics.word_accuracy, metrics.cer))
    return Score(text, order, accuracy, words, cer)


def in_order_of_places(found: Sequence[Line], true: Sequence[Line]) -> list[Line]:
    """Found lines in the order of the true ones that they overlap most; several in one true line run along it."""

    def along(line: Line, target: int) -> float:
        """Position of a line's middle along a true line."""
        direction = np.asarray(true[target].along)
        return float(np.mean(np.asarray(line.quad), axis=0) @ direction)

    slots = assign(overlaps(found, true), least=0.0)
    taken = [(slot, along(line, slot), line) for line, slot in zip(found, slots, strict=True) if slot is not None]
    return _joined(taken, [line for line, slot in zip(found, slots, strict=True) if slot is None])


def in_order_of_texts(found: Sequence[Line], texts: Sequence[str]) -> list[Line]:
    """Found lines in the order of the texts that they resemble most; several of one text in reading order."""
    lines = reading_order(found)
    likeness = np.zeros((len(lines), len(texts)))
    if lines and texts:
        read = [normalise(line.text) for line in lines]
        likeness = cdist(read, list(texts), scorer=Levenshtein.normalized_similarity, dtype=np.float64)
    slots = assign(likeness, LEAST_LIKENESS)
    taken = [(slot, i, lines[i]) for i, slot in enumerate(slots) if slot is not None]
    return _joined(taken, [line for line, slot in zip(lines, slots, strict=True) if slot is None])


def _joined(taken: Sequence[tuple[int, float, Line]], left: Sequence[Line]) -> list[Line]:
    return [line for *_, line in sorted(taken, key=lambda each: each[:2])] + reading_order(left)


def assign(likeness: Float[np.ndarray, "F T"], least: float) -> list[int | None]:
    """The true line of each found one, None where it is like none by more than `least`.

    The pairs that fit best go first, one found line to one true line; what is left joins the line that it fits best.
    """
    best = likeness.max(axis=1, initial=0.0)
    slots: list[int | None] = [None] * len(likeness)
    pairs = np.argwhere((likeness > least) & (likeness >= NEARLY_BEST * best[:, None]))
    free = np.ones(likeness.shape[1], dtype=bool)
    for f, t in pairs[np.argsort(-likeness[tuple(pairs.T)], kind="stable")].tolist():
        if slots[f] is None and free[t]:
            slots[f], free[t] = t, False
    for f in range(len(slots)):
        if slots[f] is None and best[f] > least:
            slots[f] = int(likeness[f].argmax())
    return slots


def overlaps(found: Sequence[Line], true: Sequence[Line]) -> Float[np.ndarray, "F T"]:
    """Intersection over union of the areas of found and true lines, whichever way round their corners go."""
    result = np.zeros((len(found), len(true)))
    if not result.size:
        return result
    ours, theirs = ([cv2.convexHull(np.asarray(line.quad, np.float32)) for line in lines] for lines in (found, true))
    low_f, high_f, low_t, high_t = (
        np.stack([pick(hull[:, 0], axis=0) for hull in hulls]) for hulls in (ours, theirs) for pick in (np.min, np.max)
    )
    meet = ((low_f[:, None] < high_t) & (low_t < high_f[:, None])).all(axis=-1)
    for f, t in np.argwhere(meet).tolist():
        shared = float(cv2.intersectConvexConvex(ours[f], theirs[t])[0])
        both = cv2.contourArea(ours[f]) + cv2.contourArea(theirs[t]) - shared
        result[f, t] = shared / max(both, 1e-6)
    return result
