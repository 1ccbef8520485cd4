"""The same page through several codecs at about the same rate, with the text that was read from each."""

import base64
import io
import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from rapidfuzz.distance import Levenshtein

from analysis import kept, runs
from analysis.best import BestPair
from analysis.matched import nearest
from analysis.sweep_data import SweepData
from tfic.measuring.row import picture_name

LARGEST_PX = 320
"""Sides of a page that is shown whole; of a larger one the busiest window of this size is cut out."""
CARET = "\u2038"
"""Stands in a text for characters that were not read."""


@dataclass(frozen=True)
class Piece:
    """A piece of a text that was read."""

    text: str
    """The characters."""
    wrong: bool
    """They are not in the true text, or stand for characters that are."""


@dataclass(frozen=True)
class Shown:
    """One page through one codec."""

    title: str
    """Codec and settings."""
    png: bytes
    """The picture, or its busiest part."""
    row: pd.Series
    """Its row of measurements."""

    @property
    def source(self) -> str:
        """The picture as the address of an image."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"

    @property
    def numbers(self) -> str:
        """Rate, PSNR where it is finite, and accuracy."""
        psnr = f", {self.row['psnr_db']:.1f} dB" if np.isfinite(self.row["psnr_db"]) else ""
        return f"{self.row['bpp']:.3f} bpp{psnr}, reads {self.row['accuracy']:.2f}"

    @property
    def pieces(self) -> list[Piece]:
        """The text that was read, right and wrong."""
        return marked(self.row["text"], self.row["truth"])


def side_by_side(sweep: runs.Sweep, data: SweepData, best: BestPair) -> list[tuple[str, list[Shown]]]:
    """Up to three pages (title, pictures): where TFIC gains most on the baseline, the middle one, where it gains least.

    The codecs are the original, the classical codec and the baseline nearest in rate to the best TFIC codec, and
    that codec itself. Only pages whose pictures all of them have kept take part.
    """
    near = nearest(data.baselines_for(best.tuned), best.tuned["bpp"])
    assert near is not None, "a pair has a baseline"
    classical = nearest(data.kind("classical"), best.tuned["bpp"])
    original = nearest(data.kind("uncompressed"), best.tuned["bpp"])
    points = [point for point in (original, classical, near, best.tuned) if point is not None]
    names = sorted(set(data.rows["image"]))
    files = {point["trial_key"]: by_image_name(kept.names(sweep, point["trial_key"]), names) for point in points}

    def png(point: pd.Series, image: str) -> bytes:
        return kept.file(sweep, point["trial_key"], files[point["trial_key"]][image])

    shared = sorted(set.intersection(*(set(found) for found in files.values())))
    rows = data.rows.set_index(["trial_key", "image"])
    accuracy = rows["accuracy"].astype(float).unstack("trial_key").loc[shared]
    order = (accuracy[near["trial_key"]] - accuracy[best.tuned["trial_key"]]).sort_values(kind="stable").index.tolist()
    places = {"In between": len(order) // 2, "Where it gains least": len(order) - 1, "Where TFIC gains most": 0}
    # With fewer than three pages one page has several places; the last title in the dict is the one that stays.
    titles = {place: title for title, place in places.items() if order}
    shown = []
    for place in sorted(titles):
        name = order[place]
        window = busiest(png(points[0], name))
        cut = [
            Shown(point["label"], crop(png(point, name), window), rows.loc[(point["trial_key"], name)])
            for point in points
        ]
        shown.append((f"{titles[place]}: {name}", cut))
    return shown


def by_image_name(files: Collection[str], names: Sequence[str]) -> dict[str, str]:
    """Files of pictures by the name of their image: `picture_name`, or its stem where an earlier version wrote them.

    Of several images with one stem such a picture is nobody's.
    """
    stems = Counter(Path(name).stem for name in names)
    found = {}
    for name in names:
        old = f"{Path(name).stem}.png" if stems[Path(name).stem] == 1 else ""
        file = picture_name(name) if picture_name(name) in files else old
        if file in files:
            found[name] = file
    return found


def busiest(png: bytes) -> tuple[int, int, int, int]:
    """The window (left, top, right, bottom) of at most LARGEST_PX a side where the picture changes most."""
    image = Image.open(io.BytesIO(png)).convert("L")
    width, height = min(image.width, LARGEST_PX), min(image.height, LARGEST_PX)
    grey = np.asarray(image, dtype=float)
    change = np.zeros_like(grey)
    change[:, 1:] += np.abs(np.diff(grey, axis=1))
    total = np.pad(change.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(left), int(top), int(left) + width, int(top) + height


def crop(png: bytes, window: tuple[int, int, int, int]) -> bytes:
    """That window of a picture, as PNG."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").crop(window).save(out, "PNG", optimize=True)
    return out.getvalue()


def marked(read: str, truth: str) -> list[Piece]:
    """The text as read, in pieces that are right or wrong; a caret stands for characters that are missing.

    Wrong are the edits that `accuracy` counts, the fewest that make one text of the other.
    """
    pieces = []
    edits = Levenshtein.opcodes(read, truth)
    for right, block in itertools.groupby(edits, key=lambda edit: edit.tag == "equal"):
        own = list(block)
        text = read[own[0].src_start : own[-1].src_end]
        if right or text.strip():
            pieces.append(Piece(text, not right))
        else:
            pieces += [Piece(text, False), Piece(CARET, True)]
    return pieces
