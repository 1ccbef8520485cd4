"""The values behind the linked figures: axes to brush along, and each codec's look at a few pages.

Everything is plain numbers and texts that become one JSON object in the report.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from PIL import Image

from analysis import kept, readers, runs
from analysis.palette import COLOURS, INK
from analysis.pictures import busiest, by_image_name, marked
from analysis.sweep_data import SweepData
from analysis.transfer import Cell
from tfic.config import LMBDA_SHARE
from tfic.measuring.details import Details
from tfic.measuring.row import MEASURES

PAGES, FEW_PAGES, MANY = 4, 2, 100
"""Pages that can be looked at, at most, and those of a sweep of more than so many codecs."""
LARGEST_BYTES = 3_600_000
"""Bytes of all thumbnails together, a third more in the file: a further page that would exceed them is left out."""
QUALITY = 62
"""WebP quality of a thumbnail, which is a copy of a reconstruction and not the reconstruction itself."""
ALIGN_PX = 64
"""Windows begin at multiples of this, which is one of the side of a block of bits."""
SETTINGS = {"lmbda": ("lambda", True), "gamma": ("gamma", True), "lmbda_share": ("lmbda share", False),
            "seed": ("seed", False)}  # fmt: skip
"""Settings to brush along, with their titles, and whether their axis is logarithmic."""


@dataclass(frozen=True)
class Look:
    """One codec at one page."""

    webp: bytes
    """The reconstruction, or its busiest part, as a WebP thumbnail."""
    row: pd.Series
    """Its row of measurements."""
    texts: Mapping[str, str]
    """What readers beside the training reader read, by their names; none in stores of earlier versions."""
    block_px: int
    """Side of a block of `bits` in pixels of the reconstruction."""
    bits: Sequence[Sequence[int]]
    """Bits of each block of the window, by rows; none of classical codecs, and in stores of earlier versions."""


def axes(points: pd.DataFrame, metadata: pd.DataFrame) -> list[dict[str, object]]:
    """The axes of the parallel coordinates, those that vary: name, title, logarithmic or not, values by codec."""
    found: list[dict[str, object]] = []
    keys = points["trial_key"].tolist()
    stored = metadata.reindex(keys)
    more = {
        "lmbda_share": _numbers(stored.get(LMBDA_SHARE), len(keys)),
        "seed": _numbers(stored.get("train.seed"), len(keys)),
        "gpu_hours": points["gpu_hours"].tolist() if "gpu_hours" in points else [math.nan] * len(keys),
    }
    measured = ("bpp", *readers.metrics(points).values(), "psnr_db", "encode_ms")
    titles = {name: title for name, (title, _) in SETTINGS.items()}
    titles |= {name: MEASURES[name].head for name in measured} | {"gpu_hours": "GPU-hours"}
    for name, title in titles.items():
        values = more.get(name) or points[name].tolist()
        log = SETTINGS[name][1] if name in SETTINGS else name in ("bpp", "encode_ms")
        drawn = [value if math.isfinite(value) and (value > 0 or not log) else None for value in values]
        if len(set(drawn) - {None}) > 1:
            found.append({"name": name, "title": title, "log": log, "values": drawn})
    return found


def looks(sweep: runs.Sweep, data: SweepData) -> dict[str, dict[str, Look]]:
    """Thumbnails of every point by page and trial key, of the pages that most codecs have kept, within the bytes.

    Of the first page codecs on the front come first, then others by rising rate, as many as fit.
    """
    names = sorted(set(data.rows["image"]))
    first = data.points.assign(original=data.points["kind"] == "uncompressed")
    order = first.sort_values(["original", "on_front", "bpp"], ascending=[False, False, True])["trial_key"]
    beside = {key: kept.names(sweep, key) for key in order}
    files = {key: by_image_name(own, names) for key, own in beside.items()}
    told = {key: kept.known(sweep, key, own) for key, own in beside.items()}
    counts = pd.Series([name for found in files.values() for name in found], dtype=str).value_counts()
    pages = sorted(counts.index, key=lambda name: (-counts[name], name))[: FEW_PAGES if len(files) > MANY else PAGES]
    rows = data.rows.set_index(["trial_key", "image"])
    found: dict[str, dict[str, Look]] = {}
    spent = 0
    for page in pages:
        keys = [key for key, own in files.items() if page in own]
        window = aligned(busiest(kept.file(sweep, keys[0], files[keys[0]][page])))
        some: dict[str, Look] = {}
        for key in keys:
            webp = thumbnail(kept.file(sweep, key, files[key][page]), window)
            spent += len(webp)
            if spent > LARGEST_BYTES:
                break
            known = told[key].get(page, Details())
            some[key] = Look(webp, rows.loc[(key, page)], known.texts, known.block_px, within(known, window))
        if found and spent > LARGEST_BYTES:
            break
        found[page] = some
    return found


def aligned(window: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """A window moved up and left so that it begins with a block."""
    left, top, right, bottom = window
    x, y = left % ALIGN_PX, top % ALIGN_PX
    return left - x, top - y, right - x, bottom - y


def within(known: Details, window: tuple[int, int, int, int]) -> list[list[int]]:
    """The bits of the blocks of a window that begins with one; [] where none are known."""
    if not known.bits:
        return []
    left, top, right, bottom = (math.ceil(side / known.block_px) for side in window)
    return [list(row[left:right]) for row in known.bits[top:bottom]]


def thumbnail(png: bytes, window: tuple[int, int, int, int]) -> bytes:
    """A window of a picture as WebP."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").crop(window).save(out, "WEBP", quality=QUALITY, method=0)
    return out.getvalue()


def block(
    data: SweepData,
    metadata: pd.DataFrame,
    found: Mapping[str, Mapping[str, Look]],
    pair: Sequence[str],
    cells: Sequence[Cell],
) -> dict[str, object]:
    """The JSON object of the report: codecs, axes, pages with looks, the gallery's first pair, gains in transfer."""
    points = data.points
    codecs = [
        {"key": key, "label": label, "family": family, "colour": COLOURS.get(family, INK), "bpp": bpp, "kind": kind}
        for key, label, family, bpp, kind in points[["trial_key", "label", "family", "bpp", "kind"]].itertuples(
            index=False
        )
    ]
    pages = [
        {
            "name": page,
            "truth": next(iter(some.values())).row["truth"],
            "looks": {key: _look(look) for key, look in some.items()},
        }
        for page, some in found.items()
    ]
    transfer = [
        {
            "trained": cell.trained,
            "read_by": cell.read_by,
            "own": cell.own,
            "gains": {key: round(gain, 6) for key, gain in cell.gains.items()},
        }
        for cell in cells
    ]
    return {
        "codecs": codecs,
        "axes": axes(points, metadata),
        "pages": pages,
        "pair": list(pair),
        "transfer": transfer,
    }


def _look(look: Look) -> dict[str, object]:
    row = look.row
    numbers = {name: float(row[name]) for name in ("bpp", "psnr_db", "accuracy") if math.isfinite(row[name])}
    return {
        "src": f"data:image/webp;base64,{base64.b64encode(look.webp).decode()}",
        "numbers": ", ".join(f"{MEASURES[name].label} {MEASURES[name].show(value)}" for name, value in numbers.items()),
        "bpp": numbers["bpp"],
        "read": [
            {"reader": readers.title(name), "text": [[piece.text, piece.wrong] for piece in marked(text, row["truth"])]}
            for name, text in ({readers.TRAINING: row["text"]} | dict(look.texts)).items()
        ],
        "bits": look.bits,
        "block_px": look.block_px,
    }


def _numbers(column: "pd.Series | None", count: int) -> list[float]:
    return [math.nan] * count if column is None else pd.to_numeric(column, errors="coerce").tolist()
