"""Training crops: the images of a training step, as a function of (seed, stage, step) alone.

No state passes from step to step, so a training that was killed and resumed sees the same crops. Where they lie is
drawn for the whole batch; pixels are cut of those that a worker trains on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from tfic.config import DataConfig
from tfic.ocr.rectify import with_margin
from tfic.pages import pieces
from tfic.pages.lines import Line, Page, Quad, quad_of
from tfic.system import devices


@dataclass(frozen=True)
class Crops:
    """A batch of crops and the lines of text that lie whole in them."""

    pages: Sequence[Page]
    """The training set."""
    size_px: tuple[int, int]
    """Height and width of a crop."""
    places: Int[np.ndarray, "B 3"]
    """For each crop its page in the set, its top and its left, in pixels."""
    lines: list[tuple[int, Line]]
    """Lines in pixels of their crop, each with the index of the crop in the batch."""
    quads: list[list[Quad]]
    """For each crop the places of all lines of its page, in pixels of the crop, beyond its sides too."""

    def on_text(self, part: range) -> UInt8[Tensor, "b 1 h w"]:
        """1 for each pixel on a line of text or in the margin with which lines are read, 0 for the others.

        Args:
            part: indexes of crops.
        """
        masks = np.zeros((len(part), 1, *self.size_px), dtype=np.uint8)
        for mask, b in zip(masks, part, strict=True):
            around = with_margin(np.reshape(self.quads[b], (-1, 4, 2)))
            for corners in np.round(around).astype(np.int32):
                cv2.fillConvexPoly(mask[0], corners, (1,))
        return torch.from_numpy(masks)

    def cut(self, part: range | None = None) -> UInt8[Tensor, "b 3 h w"]:
        """Pixels as they are on the pages, of all crops or of those with the indexes `part`.

        Smaller pages are continued by their edge pixels.
        """
        found = []
        for page, top, left in self.places if part is None else self.places[part]:
            crop = self.pages[page].image[top : top + self.size_px[0], left : left + self.size_px[1]]
            missing = (self.size_px[0] - crop.shape[0], self.size_px[1] - crop.shape[1])
            found.append(
                np.pad(crop, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge") if any(missing) else crop
            )
        return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)

    def on(self, device: torch.device | str) -> Float[Tensor, "B 3 h w"]:
        """Pixels of all crops in [0, 1] on a device."""
        return in_unit(self.cut(), torch.device(device))


def in_unit(pixels: UInt8[Tensor, "B 3 h w"], device: torch.device) -> Float[Tensor, "B 3 h w"]:
    """Pixels in [0, 1] on a device, to which they travel as bytes."""
    return devices.send(pixels, device).float() / 255


def draw_crops(
    pages: Sequence[Page],
    rng: np.random.Generator,
    batch: int,
    height_px: int,
    width_px: int,
    on_text: bool,
    cut: bool = False,
) -> Crops:
    """A random crop of `batch` random pages, of which no pixel is read where nothing is `cut`.

    Args:
        pages: the training set.
        rng: random generator.
        batch: number of crops.
        height_px: height of a crop.
        width_px: width of a crop.
        on_text: place each crop around a line of its page, if the page has one that fits.
        cut: of a line that no crop can hold, take the words that lie whole in the crop as a line of their own, where
            its words can be told apart (`tfic.pages.pieces`).
    """
    places = np.zeros((batch, 3), np.int64)
    lines, quads = [], []
    for b, index in enumerate(rng.integers(len(pages), size=batch)):
        page = pages[int(index)]
        height, width = page.size_px
        room_y, room_x = max(height - height_px, 0), max(width - width_px, 0)
        top, left = int(rng.integers(room_y + 1)), int(rng.integers(room_x + 1))
        whole = [on_page(line, height, width) for line in page.lines]
        wide = [pieces.words(line, page.image) for line in whole if cut and not fits(line, height_px, width_px)]
        if on_text:
            candidates = [*whole, *(pieces.joined([word]) for found in wide for word in found)]
            around = [ranges for line in candidates if (ranges := _around(line, room_y, room_x, height_px, width_px))]
            if around:
                (top_from, top_to), (left_from, left_to) = around[int(rng.integers(len(around)))]
                top, left = int(rng.integers(top_from, top_to + 1)), int(rng.integers(left_from, left_to + 1))
        places[b] = index, top, left
        moved = [_at(line, left, top) for line in whole]
        lines += [(b, line) for line in moved if _inside(line, height_px, width_px)]
        quads.append([line.quad for line in moved])
        for found in wide:
            seen = [word for word in found if _inside(_at(word, left, top), height_px, width_px)]
            if seen:
                lines.append((b, _at(pieces.joined(seen), left, top)))
    return Crops(pages, (height_px, width_px), places, lines, quads)


def cuts(data: DataConfig) -> bool:
    """Whether lines that are wider than a crop are cut: those of a user's folder; drawn ones have results already."""
    return bool(data.train_dir)


def on_page(line: Line, height_px: int, width_px: int) -> Line:
    """The line with its corners on the page: annotators round."""
    if _inside(line, height_px, width_px):
        return line
    return Line(line.text, quad_of((min(max(x, 0), width_px), min(max(y, 0), height_px)) for x, y in line.quad))


def fits(line: Line, height_px: int, width_px: int) -> bool:
    """Return True when a crop of that size can hold a whole line."""
    xs, ys = [x for x, _ in line.quad], [y for _, y in line.quad]
    return all(np.ceil(max(each)) - np.floor(min(each)) <= side for each, side in ((xs, width_px), (ys, height_px)))


def _at(line: Line | pieces.Word, left: int, top: int) -> Line:
    return Line(line.text, _moved(line.quad, left, top))


def _around(
    line: Line, room_y: int, room_x: int, height_px: int, width_px: int
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Ranges of top and of left for which a crop holds the whole line; None when it does not fit."""
    right = max(x for x, _ in line.quad)
    ranges = []
    for low, high, room, side in ((line.top, line.bottom, room_y, height_px), (line.left, right, room_x, width_px)):
        first, last = max(0, int(np.ceil(high)) - side), min(room, int(np.floor(low)))
        if first > last:
            return None
        ranges.append((first, last))
    return ranges[0], ranges[1]


def _moved(quad: Quad, left: int, top: int) -> Quad:
    return quad_of((x - left, y - top) for x, y in quad)


def _inside(line: Line, height_px: int, width_px: int) -> bool:
    return all(0 <= x <= width_px and 0 <= y <= height_px for x, y in line.quad)
