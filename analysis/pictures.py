"""The same page through several codecs at about the same rate, with what the reader made of each."""

import base64
import difflib
import html
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from analysis import runs
from analysis.evidence import Evidence
from analysis.matched import nearest
from analysis.verdict import Pick

LARGEST_PX = 320
"""Sides of a page that is shown whole; of a larger one the busiest window of this size is cut out."""


@dataclass(frozen=True)
class Shown:
    """One page through one codec."""

    title: str
    """Codec and settings."""
    png: bytes
    """The picture, or its busiest part."""
    row: pd.Series
    """Its row of measurements."""


def side_by_side(sweep: runs.Sweep, evidence: Evidence, chosen: Pick) -> list[tuple[str, list[Shown]]]:
    """Up to three pages (title, pictures): where TFIC gains most on the baseline, the middle one, where it gains least.

    The codecs are the original, the classical codec and the baseline nearest in rate to the chosen TFIC codec, and
    that codec itself. Only pages whose pictures all of them have kept take part.
    """
    near = nearest(evidence.baselines_for(chosen.tuned), chosen.tuned["bpp"])
    assert near is not None, "a pick has a baseline"
    classical = nearest(evidence.kind("classical"), chosen.tuned["bpp"])
    original = nearest(evidence.kind("uncompressed"), chosen.tuned["bpp"])
    points = [point for point in (original, classical, near, chosen.tuned) if point is not None]
    files = {point["trial_key"]: runs.pictures(sweep, point["trial_key"]) for point in points}
    kept = sorted(set.intersection(*(set(found) for found in files.values())))
    stems = evidence.rows["image"].map(lambda name: Path(name).stem)
    rows = evidence.rows.assign(stem=stems).set_index(["trial_key", "stem"])
    accuracy = rows["accuracy"].astype(float).unstack("trial_key").loc[kept]
    order = (
        (accuracy[near["trial_key"]] - accuracy[chosen.tuned["trial_key"]]).sort_values(kind="stable").index.tolist()
    )
    places = {"In between": len(order) // 2, "Where it gains least": len(order) - 1, "Where TFIC gains most": 0}
    # With fewer than three pages one page has several places; the last title in the dict is the one that stays.
    titles = {place: title for title, place in places.items() if order}
    shown = []
    for place in sorted(titles):
        stem = order[place]
        window = busiest(files[points[0]["trial_key"]][stem])
        cut = [
            Shown(point["label"], crop(files[point["trial_key"]][stem], window), rows.loc[(point["trial_key"], stem)])
            for point in points
        ]
        shown.append((f"{titles[place]}: {stem}", cut))
    return shown


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


def marked(read: str, truth: str) -> str:
    """The text as read, as HTML: wrong characters marked, and a caret for characters that are missing."""
    pieces = []
    for kind, start, end, _, _ in difflib.SequenceMatcher(None, read, truth, autojunk=False).get_opcodes():
        text = html.escape(read[start:end])
        pieces.append(
            text if kind == "equal" else f"<mark>{text}</mark>" if text.strip() else f"{text}<mark>&#8248;</mark>"
        )
    return "".join(pieces)


def figure(shown: Shown) -> str:
    """A picture with its caption, as HTML."""
    row = shown.row
    psnr = f", {row['psnr_db']:.1f} dB" if np.isfinite(row["psnr_db"]) else ""
    read = marked(row["text"], row["truth"]) if row["text"] else "<em>nothing</em>"
    title = html.escape(shown.title)
    source = f"data:image/png;base64,{base64.b64encode(shown.png).decode()}"
    return (
        f'<figure><img src="{source}" alt="{title}"><figcaption><strong>{title}</strong>'
        f'<span class="numbers">{row["bpp"]:.3f} bpp{psnr}, reads {row["accuracy"]:.2f}</span>'
        f"<pre>{read}</pre></figcaption></figure>"
    )
