"""The look of a scan: a page laid askew, blurred, grainy and pressed by JPEG, with its truth at the new places."""

import hashlib
import io
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from tfic.pages.lines import Page, Quad, quad_of
from tfic.synth.warp import Warp


@dataclass(frozen=True)
class ScanLook:
    """How much of each; zero everywhere leaves pages as they are."""

    skew_deg: float = 0.0
    """Largest angle by which a page lies askew, in degrees, either way; the image grows so that all stays on it."""
    blur_px: float = 0.0
    """Standard deviation of a Gaussian blur, in pixels."""
    noise: float = 0.0
    """Standard deviation of the grain, in grey levels of 255."""
    jpeg_quality: int = 0
    """Quality of a JPEG through which the page goes; 0 for none."""
    seed: int = 0
    """Angle and grain of a page depend on this and on its name alone."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("skew", self.skew_deg, 10),
            ("blur", self.blur_px, 20),
            ("noise", self.noise, 100),
            ("jpeg", self.jpeg_quality, 100),
        ):
            if not 0 <= value <= most:
                raise ValueError(f"{name} is {value}; it must be between 0 (none) and {most}")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be at least 0")

    @property
    def plain(self) -> bool:
        """True when pages stay as they are."""
        return not (self.skew_deg or self.blur_px or self.noise or self.jpeg_quality)

    def of(self, page: Page) -> Page:
        """A page as it looks when it was printed and scanned; its lines and regions lie where the page has them."""
        if self.plain:
            return page
        name = hashlib.sha256(page.name.encode()).digest()[:8]
        rng = np.random.default_rng([self.seed, int.from_bytes(name)])
        image, laid = page.image, None
        if self.skew_deg:
            laid = _askew(*page.size_px, math.radians(float(rng.uniform(-self.skew_deg, self.skew_deg))))
            image = _lay(laid, image)
        if self.blur_px:
            image = cv2.GaussianBlur(image, (0, 0), self.blur_px)
        if self.noise:
            grain = rng.normal(0, self.noise, size=(*image.shape[:2], 1))
            image = np.rint(image + grain).clip(0, 255).astype(np.uint8)
        if self.jpeg_quality:
            image = _pressed(image, self.jpeg_quality)
        lines = tuple(replace(line, quad=_moved(laid, line.quad)) for line in page.lines)
        return Page(page.name, image, lines, page.stated_text, tuple(_moved(laid, each) for each in page.ignored))


SCAN = ScanLook(skew_deg=1.0, blur_px=0.6, noise=5.0, jpeg_quality=60)
"""A clean scan of an office: `--scan`."""


def _askew(height_px: int, width_px: int, angle: float) -> Warp:
    """The page turned about its middle, clockwise for a positive angle, on an image that holds all of it."""
    cosine, sine = math.cos(angle), math.sin(angle)
    width = width_px * cosine + height_px * abs(sine)
    height = height_px * cosine + width_px * abs(sine)
    x = math.ceil(width) / 2 - cosine * width_px / 2 + sine * height_px / 2
    y = math.ceil(height) / 2 - sine * width_px / 2 - cosine * height_px / 2
    return Warp(width_px, height_px, (cosine, -sine, x, sine, cosine, y, 0, 0, 1))


def _lay(laid: Warp, image: np.ndarray) -> np.ndarray:
    """The turned page on white."""
    corners = laid.quad(0, 0, laid.width_px, laid.height_px)
    right, bottom = (math.ceil(round(max(each[i] for each in corners), 6)) for i in (0, 1))
    inks = [255 - image[..., channel] for channel in range(3)]  # a warp is black outside, paper is white
    return 255 - np.stack([laid.lay(ink, 0, 0, right, bottom) for ink in inks], axis=-1)


def _moved(laid: Warp | None, quad: Quad) -> Quad:
    if laid is None:
        return quad
    return quad_of((round(x, 2), round(y, 2)) for x, y in (laid.point(*corner) for corner in quad))


def _pressed(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file).convert("RGB"))


def look_of(
    scan: bool, skew: float | None, blur: float | None, noise: float | None, jpeg: int | None, seed: int
) -> ScanLook:
    """The look that a command line asks for: each value that is given, the others as in `SCAN`, or none without it."""
    start = SCAN if scan else ScanLook()
    return ScanLook(
        start.skew_deg if skew is None else skew,
        start.blur_px if blur is None else blur,
        start.noise if noise is None else noise,
        start.jpeg_quality if jpeg is None else jpeg,
        seed,
    )
