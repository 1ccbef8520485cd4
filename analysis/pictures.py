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
from analysis.claims import Evidence
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


def side_by_side(sweep: runs.Sweep, evidence: Evidence, chosen: Pick, count: int = 3) -> list[tuple[str, list[Shown]]]:
    """Up to `count` pages (title, pictures): where TFIC gains most on the baseline, the middle one, and where it gains least.

    Only pages whose pictures every codec shown has kept; the codecs are the original, the classical codec and the
    baseline nearest in rate to the chosen TFIC codec, and that codec.
    """
    reference = evidence.kind("uncompressed")
    near = nearest(evidence.baselines_for(chosen.tuned), chosen.tuned["bpp"])
    classical = nearest(evidence.kind("classical"), chosen.tuned["bpp"])
    points = [
        *(row for _, row in reference.head(1).iterrows()),
        *(row for row in (classical, near) if row is not None),
        chosen.tuned,
    ]
    files = {point["trial_key"]: runs.pictures(sweep, point["trial_key"]) for point in points}
    kept = set.intersection(*(set(found) for found in files.values()))
    rows = evidence.rows.assign(stem=evidence.rows["image"].map(lambda name: Path(name).stem)).set_index(
        ["trial_key", "stem"]
    )
    assert near is not None, "a pick has a baseline"
    gains = {
        stem: rows.at[(chosen.tuned["trial_key"], stem), "accuracy"] - rows.at[(near["trial_key"], stem), "accuracy"]
        for stem in kept
    }
    order = sorted(gains, key=lambda stem: (-gains[stem], stem))
    places = sorted({round(place) for place in np.linspace(0, len(order) - 1, min(count, len(order)))}) if order else []
    shown = []
    for place in places:
        stem = order[place]
        window = busiest(files[points[0]["trial_key"]][stem])
        cut = [
            Shown(point["label"], crop(files[point["trial_key"]][stem], window), rows.loc[(point["trial_key"], stem)])
            for point in points
        ]
        where = (
            "Where TFIC gains most"
            if place == 0
            else "Where it gains least"
            if place == len(order) - 1
            else "In between"
        )
        shown.append((f"{where}: {stem}", cut))
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
    source = f"data:image/png;base64,{base64.b64encode(shown.png).decode()}"
    return (
        f'<figure><img src="{source}" alt="{html.escape(shown.title)}"><figcaption><strong>{html.escape(shown.title)}</strong>'
        f'<span class="numbers">{row["bpp"]:.3f} bpp{psnr}, reads {row["accuracy"]:.2f}</span>'
        f"<pre>{read}</pre></figcaption></figure>"
    )
