"""The typefaces text is drawn with: those that ship, or a user's own folder, each split into train and test by family.

A family stands on one side only, so a test image never shows a letter shape that was trained on.
"""

import hashlib
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SPLITS = ("train", "test")
"""The two sides; the position of a name is its code in the seed of an image."""

TEST_SHARE = 0.25
"""Share of the families of a user's own folder that goes to the test side."""

SHIPPED: dict[str, dict[str, tuple[str, ...]]] = {
    "sans": {"train": ("barlow", "cabin", "cantarell", "karla", "lato"), "test": ("oxygen", "work-sans")},
    "serif": {"train": ("crimson-text", "libre-baskerville", "lora", "pt-serif"), "test": ("gelasio",)},
    "slab": {"train": ("arvo", "bitter", "crete-round"), "test": ("roboto-slab",)},
    "mono": {"train": ("courier-prime", "ibm-plex-mono", "inconsolata"), "test": ("anonymous-pro",)},
    "condensed": {"train": ("archivo-narrow", "barlow-condensed", "oswald"), "test": ("fjalla-one",)},
    "rounded": {"train": ("comfortaa", "nunito", "varela-round"), "test": ("quicksand",)},
    "hand": {"train": ("architects-daughter", "comic-neue", "gochi-hand", "patrick-hand"), "test": ("short-stack",)},
    "display": {"train": ("righteous", "special-elite"), "test": ("merienda",)},
}
"""Families that ship, by style and split; their files and licences are in `fonts/<family>/`."""

CHARACTERS = string.ascii_letters + string.digits + string.punctuation
"""Characters that every typeface must have: printable ASCII without the blank."""


@dataclass(frozen=True)
class Face:
    """One font file of a family."""

    family: str
    """Name of the family: the folder's for a font that ships, the file's own for a user's."""
    path: Path
    """The .ttf or .otf file."""


@lru_cache(maxsize=2)
def shipped(split: str) -> tuple[Face, ...]:
    """The faces of that split which ship with the package, sorted by family and file name.

    Raises:
        ValueError: when `split` is neither "train" nor "test".
    """
    check_split(split)
    home = Path(__file__).parent / "fonts"
    families = sorted(family for style in SHIPPED.values() for family in style[split])
    return tuple(Face(family, path) for family in families for path in sorted((home / family).glob("*.ttf")))


def folder(path: Path, split: str) -> tuple[Face, ...]:
    """The faces of that split in a user's own folder, searched with all its subfolders.

    Families are ranked by the SHA-256 of their name and the first quarter (at least one) is the test side, so the
    split depends on the set of names alone.

    Raises:
        ValueError: when the folder is missing, holds no font or a single family, or a font cannot be read or lacks
            a printable ASCII character.
    """
    check_split(split)
    if not path.is_dir():
        raise ValueError(f"font folder {path} does not exist; give a folder with .ttf or .otf files")
    files = sorted(each for each in path.rglob("*") if each.suffix.lower() in (".ttf", ".otf") and each.is_file())
    if not files:
        raise ValueError(f"font folder {path} holds no .ttf or .otf file; give one with fonts of at least two families")
    faces = [Face(_family(each), each) for each in files]
    for face in faces:
        missing = missing_characters(face)
        if missing:
            raise ValueError(
                f"font {face.path} cannot draw {missing!r}; take it out or use one with all printable ASCII"
            )
    families = sorted({face.family for face in faces}, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    if len(families) < 2:
        raise ValueError(
            f"font folder {path} holds one family, {families[0]!r}; add another, training and test need different ones"
        )
    held_out = set(families[: max(1, round(TEST_SHARE * len(families)))])
    return tuple(face for face in faces if (face.family in held_out) == (split == "test"))


def check_split(split: str) -> None:
    """Raise ValueError unless `split` is "train" or "test"."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")


def _family(path: Path) -> str:
    try:
        return str(ImageFont.truetype(path, 16, layout_engine=ImageFont.Layout.BASIC).getname()[0])
    except OSError as error:
        raise ValueError(f"font {path} cannot be read ({error}); take it out or replace it") from error


def missing_characters(face: Face) -> str:
    """Those of `CHARACTERS` for which the face draws the same shape as for a code point that no font has."""
    font = load(face.path, 32)
    nothing = bytes(font.getmask("\U0010fffe"))
    return "".join(each for each in CHARACTERS if bytes(font.getmask(each)) == nothing)


@lru_cache(maxsize=1024)
def load(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    """The font at `size_px` pixels per em, with Pillow's own layout, which every build of Pillow has."""
    return ImageFont.truetype(path, size_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=256)
def em_for_x_height(path: Path, x_height_px: int) -> int:
    """The size in pixels per em at which a lower-case x of the font is `x_height_px` pixels high."""
    _, top, _, bottom = load(path, 200).getbbox("x")
    return max(1, round(200 * x_height_px / (bottom - top)))


@dataclass(frozen=True, eq=False)
class Ink:
    """A line of text as coverage, cut to its outermost pixels."""

    text: str
    """The text."""
    coverage: np.ndarray
    """(h, w) uint8, 255 where the ink covers the pixel wholly."""
    rise: int
    """Pixels from the top of the ink down to the baseline."""

    @property
    def width(self) -> int:
        """Width of the ink in pixels."""
        return int(self.coverage.shape[1])

    @property
    def height(self) -> int:
        """Height of the ink in pixels."""
        return int(self.coverage.shape[0])


def typeset(face: Face, size_px: int, text: str) -> Ink:
    """The text in that face at `size_px` pixels per em; `text` must show at least one pixel."""
    font = load(face.path, size_px)
    # Ample room: measuring the exact box first takes half as long again as drawing.
    x, y = size_px, 2 * size_px
    layer = Image.new("L", (int(font.getlength(text)) + 3 * size_px, 4 * size_px))
    ImageDraw.Draw(layer).text((x, y), text, fill=255, font=font, anchor="ls")
    coverage = np.asarray(layer)
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    assert len(rows), f"{face.path} shows nothing for {text!r}"
    assert 0 < rows[0] <= rows[-1] < layer.height - 1, f"{face.path} is higher than four ems"
    assert 0 < columns[0] <= columns[-1] < layer.width - 1, f"{face.path} is wider than its advances"
    tight = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Ink(text, tight, y - int(rows[0]))


def width_px(face: Face, size_px: int, text: str) -> float:
    """Advance width of the text in pixels, within about a pixel of the width of `typeset`."""
    return float(load(face.path, size_px).getlength(text))


def pick(rng: np.random.Generator, faces: Sequence[Face]) -> Face:
    """A face drawn evenly over families first, so that a family with many files is no likelier than the others."""
    families = sorted({face.family for face in faces})
    family = families[int(rng.integers(len(families)))]
    of_family = [face for face in faces if face.family == family]
    return of_family[int(rng.integers(len(of_family)))]
