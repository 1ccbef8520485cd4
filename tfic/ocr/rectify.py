"""Line crops: a quadrilateral of the page turned upright, at the height that a line reader wants.

Differentiable, so that the loss of reading reaches the pixels of the page.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from tfic.pages.lines import Quad
from tfic.system import devices

MARGIN = 0.12
"""Margin of a crop around its quadrilateral, in heights of the line; detectors have the same margin."""


def as_batch(image: np.ndarray) -> Float[Tensor, "1 3 H W"]:
    """An (H, W, 3) uint8 image as a batch of one, in [0, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def with_margin(quads: ArrayLike, margin: float = MARGIN) -> Float[np.ndarray, "*n 4 2"]:
    """Quadrilaterals (..., 4, 2), each grown by `margin` heights on every side, along its own axes."""
    corners = np.asarray(quads, dtype=np.float64)
    first, second, third, fourth = np.moveaxis(corners, -2, 0)
    right, down = (second - first + third - fourth) / 2, (fourth - first + third - second) / 2
    height = np.maximum(np.linalg.norm(down, axis=-1, keepdims=True), 1.0)
    along = margin * height * right / np.maximum(np.linalg.norm(right, axis=-1, keepdims=True), 1.0)
    across = margin * height * down / height
    return corners + np.stack([-along - across, along - across, along + across, -along + across], -2)


@functools.lru_cache(maxsize=4096)  # a training step asks four times for each line
def width_at(quad: Quad, height_px: int, squeeze: float = 1.0) -> int:
    """Width in pixels of the crop (with its margin) when its height is `height_px`; at least 1."""
    corners = with_margin(quad)
    width = np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3])
    height = np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])
    return max(1, math.ceil(squeeze * height_px * width / height))


@dataclass(frozen=True)
class Places:
    """The places of L lines and the crops that are to be cut out there: made on the host, for pages on any device."""

    to_page: np.ndarray
    """(L, 3, 3) float64, the homographies from pixels of the crops to pixels of the pages."""
    widths: np.ndarray
    """(L,) float64, width in pixels that each line fills in its crop; what is beyond is padding."""
    height_px: int
    """Height of every crop."""
    width_px: int
    """Width of every crop."""

    def grid(self, height: int, width: int) -> np.ndarray:
        """(L, h, w, 2) float64 places of the crops' pixels on pages of that size, as `grid_sample` counts them."""
        y, x = np.mgrid[0 : self.height_px, 0 : self.width_px] + 0.5
        upright = np.stack([x, y, np.ones_like(x)], -1)
        grids = np.empty((len(self.to_page), self.height_px, self.width_px, 2))
        for grid, to_page in zip(grids, self.to_page, strict=True):
            points = upright @ to_page.T
            grid[:] = points[..., :2] / points[..., 2:] / (width / 2, height / 2) - 1  # edges, without align_corners
        return grids

    def grid_on(self, device: torch.device, height: int, width: int) -> Float[Tensor, "L h w 2"]:
        """The same on a device, where nothing but the homographies travels to; equal within rounding of float64."""
        y, x = (torch.arange(n, device=device, dtype=torch.float64) + 0.5 for n in (self.height_px, self.width_px))
        by_x, by_y, by_1 = devices.send(torch.from_numpy(self.to_page), device)[..., None, None].unbind(2)
        points = by_x * x + by_y * y[:, None] + by_1
        return torch.stack([points[:, i] / points[:, 2] / (side / 2) - 1 for i, side in ((0, width), (1, height))], -1)


class Transformation(Protocol):
    """The second stage of the slides' module: which pixels of a page are those of a line's crop."""

    def __call__(self, quads: Sequence[Quad], height_px: int, width_px: int, squeeze: float = 1.0) -> Places:
        """The places of quadrilaterals; for the arguments see `rectify`."""
        ...


def places(quads: Sequence[Quad], height_px: int, width_px: int, squeeze: float = 1.0) -> Places:
    """The places of quadrilaterals; for the arguments see `rectify`."""
    to_page, widths = np.empty((len(quads), 3, 3)), np.empty(len(quads))
    corners = with_margin(np.reshape(quads, (-1, 4, 2))).astype(np.float32)
    for i, quad in enumerate(quads):
        width = min(width_at(quad, height_px, squeeze), width_px)
        upright = np.array([[0, 0], [width, 0], [width, height_px], [0, height_px]], dtype=np.float32)
        to_page[i] = cv2.getPerspectiveTransform(upright, corners[i])
        widths[i] = width
    return Places(to_page, widths, height_px, width_px)


def boxes(quads: Sequence[Quad], height_px: int, width_px: int, squeeze: float = 1.0) -> Places:
    """The places of the upright boxes around quadrilaterals: what a reader sees that turns no line.

    A line on its head stays so, and of a slanted one the box holds more than the line.
    """
    corners = np.asarray(quads, dtype=np.float64).reshape(-1, 4, 2)
    around = [((x, y), (right, y), (right, low), (x, low)) for x, y, right, low in
              np.concatenate([corners.min(1), corners.max(1)], axis=1).tolist()]  # fmt: skip
    return places(around, height_px, width_px, squeeze)


def cut_out(
    pages: Float[Tensor, "B 3 H W"],
    page_of: Int[Tensor, " L"],
    where: Places,
    grid: Float[Tensor, "L h w 2"] | None = None,
) -> Float[Tensor, "L 3 h w"]:
    """The crops of L lines, padded with mid-grey on the right.

    Args:
        pages: images in [0, 1].
        page_of: for each line, its image in `pages`.
        where: their places.
        grid: `where.grid` for pages of this size, where it is known already.
    """
    H, W = pages.shape[-2:]
    if grid is None:
        on_host = pages.device.type == "cpu"
        grid = torch.from_numpy(where.grid(H, W)) if on_host else where.grid_on(pages.device, H, W)
    x = torch.arange(where.width_px, device=pages.device, dtype=torch.float64) + 0.5
    mask = x < devices.send(torch.from_numpy(where.widths), pages.device)[:, None, None, None]
    some = pages[page_of]
    crops = F.grid_sample(some, grid.to(pages.dtype), mode="bilinear", padding_mode="border", align_corners=False)
    return torch.where(mask, crops, 0.5)


def rectify(
    pages: Float[Tensor, "B 3 H W"],
    quads: Sequence[Quad],
    page_of: Sequence[int],
    height_px: int,
    width_px: int,
    squeeze: float = 1.0,
    transform: Transformation = places,
) -> Float[Tensor, "L 3 h w"]:
    """Crop L quadrilaterals, upright, each scaled to `height_px` and padded with mid-grey on the right.

    Args:
        pages: images in [0, 1].
        quads: L quadrilaterals in pixels.
        page_of: for each quadrilateral, its image in `pages`.
        height_px: height of every crop.
        width_px: width of every crop; a line that is longer at this height is squeezed to fit.
        squeeze: share of its width that a line keeps at this height.
        transform: finds the places of the crops' pixels.
    """
    index = torch.tensor(list(page_of), device=pages.device)
    return cut_out(pages, index, transform(quads, height_px, width_px, squeeze))
