"""Line crops: a quadrilateral of the page turned upright, at the height that a line reader wants.

Differentiable, so that the loss of reading reaches the pixels of the page.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tfic.lines import Quad

MARGIN = 0.12
"""Margin of a crop around its quadrilateral, in heights of the line; detectors have the same margin."""


def with_margin(quad: Quad, margin: float = MARGIN) -> np.ndarray:
    """The quadrilateral (4, 2) grown by `margin` heights on every side, along its own axes."""
    corners = np.asarray(quad, dtype=np.float64)
    right = (corners[1] - corners[0] + corners[2] - corners[3]) / 2
    down = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
    height = max(float(np.linalg.norm(down)), 1.0)
    along = margin * height * right / max(float(np.linalg.norm(right)), 1.0)
    across = margin * height * down / height
    return corners + np.stack([-along - across, along - across, along + across, -along + across])


def width_at(quad: Quad, height_px: int, squeeze: float = 1.0) -> int:
    """Width in pixels of the crop (with its margin) when its height is `height_px`; at least 1."""
    corners = with_margin(quad)
    width = np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3])
    height = np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])
    return max(1, math.ceil(squeeze * height_px * width / height))


def rectify(
    pages: Float[Tensor, "B 3 H W"],
    quads: Sequence[Quad],
    page_of: Sequence[int],
    height_px: int,
    width_px: int,
    squeeze: float = 1.0,
) -> Float[Tensor, "L 3 h w"]:
    """Crop L quadrilaterals, upright, each scaled to `height_px` and padded with mid-grey on the right.

    Args:
        pages: images in [0, 1].
        quads: L quadrilaterals in pixels.
        page_of: for each quadrilateral, its image in `pages`.
        height_px: height of every crop.
        width_px: width of every crop; a line that is longer at this height is squeezed to fit.
        squeeze: share of its width that a line keeps at this height.
    """
    H, W = pages.shape[-2:]
    y, x = np.mgrid[0:height_px, 0:width_px] + 0.5
    grids, inside = [], []
    for quad in quads:
        width = min(width_at(quad, height_px, squeeze), width_px)
        upright = np.array([[0, 0], [width, 0], [width, height_px], [0, height_px]], dtype=np.float32)
        to_page = cv2.getPerspectiveTransform(upright, with_margin(quad).astype(np.float32))
        points = np.stack([x, y, np.ones_like(x)], -1) @ to_page.T
        points = points[..., :2] / points[..., 2:]
        grids.append(points / (W / 2, H / 2) - 1)  # pixel edges, as grid_sample has it without align_corners
        inside.append(x < width)
    grid = torch.as_tensor(np.stack(grids), dtype=pages.dtype, device=pages.device)
    mask = torch.as_tensor(np.stack(inside), device=pages.device)[:, None]
    crops = F.grid_sample(pages[list(page_of)], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return torch.where(mask, crops, crops.new_tensor(0.5))
