"""Codecs on pages that nobody drew here: rate, and what two readers make of them.

    python scripts/debian_pages.py pages
    python benchmarks/real_pages.py measure pages rows.csv --dpi 110 --pages 20 --part upper-half --minutes 30
    python benchmarks/real_pages.py report rows.csv

A coder is `uncompressed`, a model, a `lite-vbr` at a quality, or a classical codec at a quality. Pages are taken in
turns from all documents, and each is measured with all coders before the next, so whatever is there can be compared.
The row of each page and coder is added to `rows.csv` at once, and is not measured again; one of a learned codec says
with which weights, so others are measured anew. Reading a page of 45 lines takes some 15 s of a core, by far the most.

The report has the means over the pages that all coders have, and each learned codec against every other one at equal
rate, on the pages that both have. Its intervals of 95 % are over documents that are drawn whole (bootstrap), since
pages of one document are alike.
"""

import argparse
import csv
import functools
import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from coders import coder_of

from analysis import stats
from analysis.matched import differences
from analysis.runs import CLASSICAL
from tfic.checkpoints import models
from tfic.config import MEASURING_VERSION
from tfic.data import read_folder
from tfic.measuring.classical import QUALITIES
from tfic.measuring.evaluate import Coder, evaluate
from tfic.measuring.row import MEASURES
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.tesseract import TesseractPageReader
from tfic.pages.lines import Page

CODERS = (
    "uncompressed", "avif@5", "avif@15", "avif@25", "avif@35", "webp@0", "webp@20", "jpeg@5", "jpeg@10",
    "zoo/lite-vbr@25", "zoo/lite-vbr@75", "zoo/lite-vbr-reading@0", "zoo/lite-vbr-reading@50",
)  # fmt: skip
MEASURED = ("bpp", "accuracy", "accuracy_lines", "accuracy_heldout", "psnr_db")
"""Measures that are kept."""

SAME = ["dpi", "part", "page", "coder", "weights", "measuring_version"]
"""What tells a row from others."""


@dataclass(frozen=True)
class Setting:
    """What is measured on a page."""

    coder: str
    """Name of the coder with its quality, as `benchmarks/coders.py` has it."""
    weights: str
    """Fingerprint of a learned codec's weights; "" for others."""

    @classmethod
    def named(cls, coder: str) -> "Setting":
        """The setting that a name stands for today."""
        model = coder.partition("@")[0]
        learned = coder != "uncompressed" and model not in QUALITIES
        return cls(coder, models.weights_of(models.pinned(model)) if learned else "")


@dataclass(frozen=True)
class Point:
    """A row of the file: a page through a coder."""

    dpi: int
    """Resolution of the page."""
    part: str
    """Part of the page: a name of `PARTS`."""
    page: str
    """Name of the page."""
    coder: str
    """As in `Setting`."""
    weights: str
    """As in `Setting`."""
    measuring_version: int
    """`tfic.config.MEASURING_VERSION` of the program that measured."""
    bpp: float
    """Bits of the whole file per pixel."""
    accuracy: float
    """Page accuracy of PP-OCRv6."""
    accuracy_lines: float
    """Its mean accuracy over lines at their true place."""
    accuracy_heldout: float
    """Page accuracy of Tesseract."""
    psnr_db: float
    """PSNR; inf when nothing was lost."""


def document_of(page: str) -> str:
    """The document that a page is from; the cards of all languages are one, a translated text."""
    name = PurePosixPath(page).stem
    return "refcard" if name.startswith("refcard-") else name.rpartition("-p")[0]


def in_turns(pages: Iterable[Page]) -> list[Page]:
    """One page of each document, then a second of each, and so on; within a document in an order drawn by seed 0."""
    documents: dict[str, list[Page]] = defaultdict(list)
    for page in pages:
        documents[document_of(page.name)].append(page)
    drawn = [random.Random(0).sample(own, len(own)) for own in documents.values()]
    return [own[turn] for turn in range(max(map(len, drawn), default=0)) for own in drawn if turn < len(own)]


def upper_half(page: Page) -> Page:
    """What is above the middle of a page, or above the lines that cross it, with the truth about it."""
    quads = [*(line.quad for line in page.lines), *page.ignored]
    spans = [(min(y for _, y in quad), max(y for _, y in quad)) for quad in quads]
    cut = page.size_px[0] // 2
    while crossing := [top for top, bottom in spans if top < cut < bottom]:
        cut = math.floor(min(crossing))
    lines = tuple(line for line in page.lines if line.bottom <= cut)
    ignored = tuple(quad for quad in page.ignored if max(y for _, y in quad) <= cut)
    return Page(page.name, page.image[:cut], lines, ignored=ignored)


PARTS: dict[str, Callable[[Page], Page]] = {"whole": lambda page: page, "upper-half": upper_half}


def main() -> None:
    """Measure what is not measured yet, or print the report."""
    described = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = described.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure", help="add the rows that are missing")
    measuring.add_argument("folder", type=Path, help="folder with a folder of pages for each resolution")
    measuring.add_argument("rows", type=Path, help="the file of rows")
    measuring.add_argument("--dpi", type=int, nargs="+", default=[110], help="resolutions, one after the other (110)")
    measuring.add_argument("--pages", type=int, default=20, help="pages at each resolution (20)")
    measuring.add_argument("--part", choices=PARTS, default="whole", help="what is cut out of each page (whole)")
    measuring.add_argument("--coders", nargs="+", default=CODERS, help=f"({' '.join(CODERS)})")
    measuring.add_argument("--minutes", type=float, default=math.inf, help="time after which no row is begun")
    reporting = commands.add_parser("report", help="print tables")
    reporting.add_argument("rows", type=Path, help="the file of rows")
    reporting.add_argument("--coders", nargs="+", help="coders of the tables (all)")
    args = described.parse_args()
    if args.command == "report":
        print(report(read_points(args.rows), args.coders))
        return
    until = time.monotonic() + 60 * args.minutes
    for dpi in args.dpi:
        every = in_turns(read_folder(args.folder / str(dpi)))
        for page in every[: args.pages]:
            measure(page, dpi, args.part, args.coders, args.rows, until)


def measure(page: Page, dpi: int, part: str, coders: Sequence[str], rows: Path, until: float = math.inf) -> None:
    """Add the rows of a page that are not in the file, until a time of the monotonic clock."""
    done = {tuple(getattr(point, name) for name in SAME) for point in read_points(rows)}
    cut = PARTS[part](page)
    for setting in map(Setting.named, coders):
        if time.monotonic() < until and (dpi, part, page.name, *astuple(setting), MEASURING_VERSION) not in done:
            (row,) = evaluate(_coder(setting), [cut], *_readers())
            values = {name: getattr(row, name) for name in MEASURED}
            add_point(Point(dpi, part, page.name, *astuple(setting), row.measuring_version, **values), rows)


@functools.cache
def _coder(setting: Setting) -> Coder:
    return coder_of(setting.coder)


@functools.cache
def _readers() -> tuple[PPOCRPageReader, TesseractPageReader]:
    return PPOCRPageReader(threads=1), TesseractPageReader()


def add_point(point: Point, rows: Path) -> None:
    """Add a line to the file of rows, after a head where it is new."""
    new = not rows.exists()
    with rows.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(each.name for each in fields(Point))
        writer.writerow(f"{each:.5g}" if isinstance(each, float) else each for each in astuple(point))


def read_points(rows: Path) -> list[Point]:
    """The rows of a file, in the order in which they were measured; none where there is no file."""
    if not rows.exists():
        return []
    kinds = {each.name: each.type for each in fields(Point)}
    with rows.open(newline="", encoding="utf-8") as file:
        return [Point(**{name: kinds[name](value) for name, value in row.items()}) for row in csv.DictReader(file)]


def report(points: Sequence[Point], coders: Sequence[str] | None = None) -> str:
    """Tables of each resolution and part: means, and learned codecs against every other one at equal rate.

    Args:
        points: rows of the file; those of another `MEASURING_VERSION` are left out.
        coders: names of the coders that are shown, all by default.
    """
    tables = []
    rows = pd.DataFrame(asdict(each) for each in points if each.measuring_version == MEASURING_VERSION)
    rows = rows.drop_duplicates(SAME, keep="last")
    rows = rows[rows["coder"].isin(coders or rows["coder"])]
    rows["codec"] = rows["coder"].str.partition("@")[0]
    latest = rows.groupby("codec", sort=False)["weights"].last()
    rows["earlier"] = rows["weights"] != rows["codec"].map(latest)
    rows.loc[rows["earlier"], "codec"] += " of weights " + rows["weights"].str[:6]
    rows["trial_key"] = rows["codec"] + rows["coder"].str.extract("(@.*)", expand=False).fillna("")
    rows["image"] = rows["page"]
    for (dpi, part), own in rows.groupby(["dpi", "part"], sort=False):
        tables += [f"## {part} pages at {dpi} dpi", _means(own[~own["earlier"]]), _at_equal_rate(own)]
    return "\n\n".join(tables)


def _means(rows: pd.DataFrame) -> str:
    keys = list(dict.fromkeys(rows["trial_key"]))
    shared = _shared(rows, keys)
    head = ["coder", *(MEASURES[name].short_head for name in MEASURED)]
    lines = [f"Means over {_count(shared)} that all coders here have:", "", _line(head), _line(["---"] * len(head))]
    for key in keys if len(shared) else []:
        own = shared[shared["trial_key"] == key]
        cells = [
            stats.show(over_documents(own[name], own["page"])) if np.isfinite(own[name]).any() else "-"
            for name in MEASURED
        ]
        lines.append(_line([shown(key), *cells]))
    return "\n".join(lines)


def _at_equal_rate(rows: pd.DataFrame) -> str:
    """Each learned codec with its latest weights against the others, on the pages that both have."""
    metrics = [name for name in MEASURED if name != "bpp"]
    head = ["coder", "bpp", "against", "at", "on", *(MEASURES[name].short_head for name in metrics)]
    lines = ["At equal rate, the difference:", "", _line(head), _line(["---"] * len(head))]
    families = {codec: list(dict.fromkeys(of_it["trial_key"])) for codec, of_it in rows.groupby("codec", sort=False)}
    learned = dict.fromkeys(rows.loc[(rows["weights"] != "") & ~rows["earlier"], "codec"])
    for own, key in ((codec, key) for codec in learned for key in families[codec]):
        for other in families:
            shared = _shared(rows, [key, *families[other]])
            if other in (own, "uncompressed") or shared.empty:
                continue
            matched, gains = differences(shared, key, families[other], metrics)
            rate = f"{matched.bpp:.3f}" if matched.bits == "equal" else f"{matched.bpp:.3f}, {matched.bits} bits"
            cells = [stats.show(over_documents(gains[name], gains.index), sign=True, digits=3) for name in metrics]
            bpp = shared.loc[shared["trial_key"] == key, "bpp"].mean()
            lines.append(_line([shown(key), f"{bpp:.3f}", shown(other), rate, _count(shared), *cells]))
    return "\n".join(lines)


def over_documents(values: Iterable[float], pages: Iterable[str]) -> stats.Interval:
    """The mean over pages, with an interval over documents that are drawn whole; pages without a value are left out.

    The mean is a ratio of two means over documents: of the sum of values, and of the number of pages.
    """
    table = pd.DataFrame({"value": list(values), "document": [document_of(page) for page in pages]})
    documents = table[np.isfinite(table["value"])].groupby("document")["value"]
    return stats.ratio(documents.sum().to_numpy(), documents.count().to_numpy())


def shown(coder: str) -> str:
    """The name of a coder, or of a codec without a quality, as people say it."""
    name, _, quality = coder.partition("@")
    said = CLASSICAL.get(name, name)
    return f"{said}, quality {quality}" if quality else said


def _shared(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The rows of these coders on the pages that all of them have."""
    own = rows[rows["trial_key"].isin(keys)]
    coders = own.groupby("page")["trial_key"].nunique()
    return own[own["page"].isin(coders.index[coders == len(keys)])]


def _count(rows: pd.DataFrame) -> str:
    pages = rows["page"].unique()
    return f"{len(pages)} pages of {len(set(map(document_of, pages)))} documents"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
