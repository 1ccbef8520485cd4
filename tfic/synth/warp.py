"""The place of a flat page of text in the image: turned, in mild perspective, and wholly inside.

Only additions, multiplications and divisions of IEEE doubles are used, so a warp is the same on every machine;
the linear algebra libraries and vectorised sines are not.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from tfic.pages.lines import Quad

MAX_TAN_HALF = 0.0874
"""Tangent of half the largest skew, 10 degrees."""

MAX_PULL = 0.05
"""Most by which perspective pulls a corner inwards, as a share of the flat page's width and height."""

_SUBPIXELS = 32
"""Steps per pixel of OpenCV's fixed-point remapping (its INTER_BITS is 5)."""


@dataclass(frozen=True)
class Warp:
    """A flat page of whole pixels and the homography that lays it into the image."""

    width_px: int
    """Width of the flat page."""
    height_px: int
    """Height of the flat page."""
    matrix: tuple[float, ...]
    """The homography from flat to image coordinates, 3x3 by rows; pixel (i, j) is the square [j, j+1] x [i, i+1]."""

    def point(self, x: float, y: float) -> tuple[float, float]:
        """The place in the image of a point of the flat page."""
        a, b, c, d, e, f, g, h, i = self.matrix
        w = g * x + h * y + i
        return (a * x + b * y + c) / w, (d * x + e * y + f) / w

    def quad(self, left: float, top: float, right: float, bottom: float) -> Quad:
        """The corners in the image of a rectangle of the flat page, clockwise from its top left."""
        return self.point(left, top), self.point(right, top), self.point(right, bottom), self.point(left, bottom)

    def lay(self, flat: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """A region of the image, (bottom - top, right - left) uint8, of a (height_px, width_px) uint8 flat layer."""
        a, b, c, d, e, f, g, h, i = self.matrix
        # The adjugate: the inverse up to a factor, which division by w removes.
        p, q, r = e * i - f * h, c * h - b * i, b * f - c * e
        s, t, u = f * g - d * i, a * i - c * g, c * d - a * f
        v, w, z = d * h - e * g, b * g - a * h, a * e - b * d
        x = np.arange(left, right, dtype=np.float64)[None, :] + 0.5
        y = np.arange(top, bottom, dtype=np.float64)[:, None] + 0.5
        depth = v * x + w * y + z
        steps_x = np.rint(((p * x + q * y + r) / depth - 0.5) * _SUBPIXELS).astype(np.int32)
        steps_y = np.rint(((s * x + t * y + u) / depth - 0.5) * _SUBPIXELS).astype(np.int32)
        whole = np.stack([steps_x // _SUBPIXELS, steps_y // _SUBPIXELS], axis=-1).clip(-32768, 32767).astype(np.int16)
        part = ((steps_y % _SUBPIXELS) * _SUBPIXELS + steps_x % _SUBPIXELS).astype(np.uint16)
        return cv2.remap(flat, whole, part, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=(0,))


def straight(height_px: int, width_px: int, margin_px: int) -> Warp:
    """The page as it is, inside a margin."""
    return Warp(width_px - 2 * margin_px, height_px - 2 * margin_px, (1, 0, margin_px, 0, 1, margin_px, 0, 0, 1))


def skewed(height_px: int, width_px: int, margin_px: int, tan_half: float, pulls: np.ndarray) -> Warp:
    """The largest page that stays inside the margin when turned, its corners then pulled inwards by perspective.

    Args:
        height_px: height of the image.
        width_px: width of the image.
        margin_px: margin at each side of the image.
        tan_half: tangent of half the angle, positive clockwise; at most `MAX_TAN_HALF` either way.
        pulls: (4, 2) shares in [0, MAX_PULL] of the page's width and height, per corner clockwise from the top left.
    """
    cosine, sine = (1 - tan_half * tan_half) / (1 + tan_half * tan_half), 2 * tan_half / (1 + tan_half * tan_half)
    room_x, room_y = width_px - 2 * margin_px, height_px - 2 * margin_px
    # w cos + h |sin| = room_x and w |sin| + h cos = room_y, solved for the page's w and h.
    spread = cosine * cosine - sine * sine
    width, height = (
        int((room_x * cosine - room_y * abs(sine)) / spread),
        int((room_y * cosine - room_x * abs(sine)) / spread),
    )
    if width < 0.6 * room_x or height < 0.6 * room_y:  # a long narrow image has no room to turn in
        return straight(height_px, width_px, margin_px)
    corners = []
    for (sign_x, sign_y), (pull_x, pull_y) in zip(((-1, -1), (1, -1), (1, 1), (-1, 1)), pulls.tolist(), strict=True):
        x, y = sign_x * (0.5 - pull_x) * width, sign_y * (0.5 - pull_y) * height
        corners.append((width_px / 2 + cosine * x - sine * y, height_px / 2 + sine * x + cosine * y))
    return Warp(width, height, _rectangle_to_quad(width, height, corners))


def _rectangle_to_quad(width: float, height: float, corners: list[tuple[float, float]]) -> tuple[float, ...]:
    """The homography that takes [0, width] x [0, height] to four corners, clockwise from the top left.

    Source: the closed form for the unit square in P. Heckbert, Fundamentals of Texture Mapping and Image Warping,
    1989, section 2.2.3.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    dx1, dx2, dx3 = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, dy3 = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    determinant = dx1 * dy2 - dx2 * dy1
    g = (dx3 * dy2 - dx2 * dy3) / determinant
    h = (dx1 * dy3 - dx3 * dy1) / determinant
    a, b, d, e = x1 - x0 + g * x1, x3 - x0 + h * x3, y1 - y0 + g * y1, y3 - y0 + h * y3
    return a / width, b / height, x0, d / width, e / height, y0, g / width, h / height, 1.0
