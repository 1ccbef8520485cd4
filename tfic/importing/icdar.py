"""Images with ICDAR's ground truth: `gt_NAME.txt` beside the image NAME, one region a line.

`x1,y1,x2,y2,x3,y3,x4,y4,text` (2015, 2019), with the script before the text (MLT 2017), or
`left,top,right,bottom,"text"` (2013). The text may hold commas; `###` is a region that is not to be read. Byte order
marks and ends of lines as Windows has them are left out.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tfic.importing.candidate import Candidate, Skipped
from tfic.pages import images
from tfic.pages.labels import DO_NOT_CARE, Label, check_inside, checked_quad
from tfic.pages.lines import Line, Page, Quad, normalise

PREFIX = "gt_"
"""Beginning of the name of a file of ground truth."""
SCRIPTS = (
    "Arabic",
    "Bangla",
    "Chinese",
    "Devanagari",
    "Hindi",
    "Japanese",
    "Korean",
    "Latin",
    "Mixed",
    "None",
    "Symbols",
)
"""Scripts that MLT's files name."""
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_CORNERS = re.compile(",".join([_NUMBER] * 8) + ",(.*)", re.DOTALL)
_SIDES = re.compile(r"[\s,]+".join([r"(-?\d+(?:\.\d+)?)"] * 4) + r'[\s,]+"(.*)"\s*', re.DOTALL)


def pages(folder: Path, pictures: Path) -> Iterator[Candidate]:
    """The images of a folder that have ground truth.

    Args:
        folder: the folder of the ground truth.
        pictures: the folder of the images, often the same.

    Raises:
        ValueError: when an image that the ground truth names is not there, or there are two of the name.
    """
    truths = sorted(folder.glob(f"{PREFIX}*.txt"))
    scripted = _names_scripts(truths)
    found = {path.stem: [] for path in truths}  # type: dict[str, list[Path]]
    for path in sorted(pictures.iterdir()):
        if path.suffix.lower() in images.SUFFIXES:
            found.setdefault(PREFIX + path.stem, []).append(path)
    for truth in truths:
        yield Candidate(
            f"{truth.stem.removeprefix(PREFIX)}.png", partial(_page, truth, found[truth.stem], pictures, scripted)
        )
    for name in sorted(found.keys() - {path.stem for path in truths}):
        yield Candidate(f"{name.removeprefix(PREFIX)}.png", lambda: Skipped("images without ground truth"))


def _page(truth: Path, found: list[Path], pictures: Path, scripted: bool) -> Page | Skipped:
    name = truth.stem.removeprefix(PREFIX)
    if not found:
        raise ValueError(f"{truth} has no image {name} in {pictures}; name the folder of the images with --images")
    if len(found) > 1:
        raise ValueError(f"{truth} has several images, {', '.join(path.name for path in found)}; keep the right one")
    regions = list(_regions(truth, scripted))
    lines = tuple(Line(normalise(text), quad) for quad, text in regions if normalise(text) not in ("", DO_NOT_CARE))
    ignored = tuple(quad for quad, text in regions if normalise(text) in ("", DO_NOT_CARE))
    if not lines:
        return Skipped("no region that is to be read")
    pixels = images.pixels(images.open_image(found[0]))
    try:
        check_inside(Label(name, "", lines, ignored), *pixels.shape[:2])
    except ValueError as error:
        raise ValueError(f"{truth}: {error}") from error
    return Page(name, pixels, lines, ignored=ignored)


def _regions(truth: Path, scripted: bool) -> Iterator[tuple[Quad, str]]:
    """Corners and text of each region of a file."""
    for number, row in _rows(truth):
        try:
            if corners := _CORNERS.fullmatch(row):
                *numbers, text = corners.groups()
                x1, y1, x2, y2, x3, y3, x4, y4 = map(float, numbers)
                places = [[x1, y1], [x2, y2], [x3, y3], [x4, y4]]
                if scripted:
                    _, comma, text = text.partition(",")
                    if not comma:
                        raise ValueError(
                            f"{row[:80]!r} names no script, as others of its folder do; write x1,...,y4,script,text"
                        )
            elif sides := _SIDES.fullmatch(row):
                *numbers, text = sides.groups()
                left, top, right, bottom = map(float, numbers)
                places = [[left, top], [right, top], [right, bottom], [left, bottom]]
            else:
                raise ValueError(f'{row[:80]!r}; a line must be x1,y1,...,x4,y4,text or left,top,right,bottom,"text"')
            yield checked_quad(places), text
        except ValueError as error:
            raise ValueError(f"{truth}:{number}: {error}") from error


def _rows(truth: Path) -> Iterator[tuple[int, str]]:
    try:
        text = truth.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{truth} is not UTF-8 ({error}); save it as UTF-8") from error
    for number, row in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if row.strip():
            yield number, row


def _names_scripts(truths: list[Path]) -> bool:
    """True when every region of the first files has a script before its text."""
    rows = []
    for truth in truths[:20]:
        rows += [found for _, row in _rows(truth) if (found := _CORNERS.fullmatch(row))]
    texts = [found.group(9).partition(",") for found in rows]
    return bool(texts) and all(script in SCRIPTS and comma for script, comma, _ in texts)
