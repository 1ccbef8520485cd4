"""The tables of the report as HTML."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.bd import Difference, NotComparable
from analysis.claims import Claim
from analysis.curves import COLOURS, SYMBOLS
from analysis.figures import INK
from tfic.row import MEASURES

MISSING = "&ndash;"
SHAPES = {
    "circle": '<circle cx="6" cy="6" r="5"/>',
    "square": '<rect x="1.5" y="1.5" width="9" height="9"/>',
    "diamond": '<path d="M6 0 12 6 6 12 0 6Z"/>',
    "circle-open": '<circle cx="6" cy="6" r="4.5" class="open"/>',
    "diamond-open": '<path d="M6 1 11 6 6 11 1 6Z" class="open"/>',
    "square-open": '<rect x="2" y="2" width="8" height="8" class="open"/>',
    "cross": '<path d="M4 0H8V4H12V8H8V12H4V8H0V4H4Z"/>',
}
"""The marks of curves.SYMBOLS, drawn in a box of 12."""


def table(
    head: Sequence[str], rows: Sequence[str], classes: str = "", numbers_from: int = 1, sortable: bool = False
) -> str:
    """Rows (as HTML) under a head, columns from `numbers_from` on set as numbers."""
    cells = "".join(
        f"<th{' class=number' if column >= numbers_from else ''}>"
        f"{f'<button>{title}</button>' if sortable else title}</th>"
        for column, title in enumerate(head)
    )
    names = f"{classes} sortable".strip() if sortable else classes
    body = f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table class="{names}">{body}</table></div>'


def number(value: float, how: str, unit: str = "") -> str:
    """A cell with a number, or a dash for none; the full value is kept for sorting."""
    if pd.isna(value):
        return f'<td class="number" data-value="">{MISSING}</td>'
    return f'<td class="number" data-value="{value!r}">{signed(value, how)}{unit}</td>'


def signed(value: float, how: str) -> str:
    """A number as text with a true minus sign."""
    return format(value, how).replace("-", "&minus;")


def name(family: str, text: str) -> str:
    """A cell that names a codec, with its family's colour."""
    return f'<td class="name">{swatch(family)}{html.escape(text)}</td>'


def swatch(family: str) -> str:
    """A small square in a family's colour."""
    return f'<span class="swatch" style="background:{COLOURS.get(family, INK)}"></span>'


def symbols(families: Sequence[str] | pd.Series) -> str:
    """Which mark stands for which family."""
    present = [family for family in SYMBOLS if family in set(families)]
    items = [
        f'<li><svg viewBox="0 0 12 12" aria-hidden="true">{SHAPES[SYMBOLS[family]]}</svg>{family}</li>'
        for family in present
    ]
    return f'<ul class="key">{"".join(items)}</ul>'


def claims(judged: Sequence[Claim]) -> str:
    """The claims with their rule, decision and reason."""
    rows = [
        f"<tr><td>{claim.number}</td>"
        f"<td>{html.escape(claim.text)}<span class=rule>{html.escape(claim.rule)}</span></td>"
        f'<td class="{"open" if claim.status == "not testable here" else claim.status}">{claim.status}</td>'
        f"<td>{html.escape(claim.reason)}</td></tr>"
        for claim in judged
    ]
    return f'<div class="claims">{table(["", "Claim", "Here", "Numbers"], rows, numbers_from=9)}</div>'


def averages(found: Mapping[str, Mapping[str, Difference | NotComparable]]) -> str:
    """Average gains of each family over the baseline, or why there is none."""
    if not found:
        return "<p>It needs a finished baseline and something to compare with it.</p>"

    def cell(answer: Difference | NotComparable, scale: float, how: str, unit: str) -> str:
        if isinstance(answer, NotComparable):
            return f'<td class="small">{html.escape(answer.why)}</td>'
        where = f"<span class=small>({answer.low:.2g} to {answer.high:.2g})</span>"
        return f"<td>{signed(answer.value * scale, how)}{unit} {where}</td>"

    rows = [
        f"<tr>{name(family, family)}{cell(row['accuracy'], 1, '+.3f', '')}{cell(row['rate'], -100, '+.0f', '&nbsp;%')}"
        f"{cell(row['psnr_db'], 1, '+.2f', ' dB')}</tr>"
        for family, row in found.items()
    ]
    head = [
        "",
        "accuracy at equal rate (bpp from, to)",
        "bits for equal accuracy (accuracy from, to)",
        "PSNR at equal rate (bpp from, to)",
    ]
    return table(head, rows, numbers_from=9)


def cheapest(found: pd.DataFrame, points: pd.DataFrame) -> str:
    """For each part of the uncompressed accuracy the cheapest codec of each family."""
    if found.empty:
        return "<p>It needs the uncompressed reference, which has not finished yet.</p>"
    known = points.set_index("trial_key")
    rows = []
    for level, row in found.iterrows():
        reached = known.loc[[key for key in row if key], "bpp"]
        cells = []
        for family, key in row.items():
            if not key:
                cells.append(f"<td>{MISSING}</td>")
                continue
            point = known.loc[key]
            setting = html.escape(str(point["label"]).removeprefix(str(family)).strip())
            value = f"{point['bpp']:.3f} bpp"
            shown = f"<b>{value}</b>" if point["bpp"] == reached.min() else value
            cells.append(f"<td>{shown}<br><span class=small>{setting}</span></td>")
        rows.append(f"<tr><td>{level:.0%}</td>{''.join(cells)}</tr>")
    heads = [f"{swatch(str(each))}{each}" for each in found.columns]
    return table(["of uncompressed", *heads], rows, numbers_from=9)


def gamma(effect: pd.DataFrame) -> str:
    """What each fine-tuned codec changed."""
    if effect.empty:
        return "<p>No TFIC codec with its baseline has finished yet.</p>"
    rows = [
        f"<tr><td>{row['gamma']:g} {row['variant']}</td>{number(row['lmbda'], 'g')}"
        f"{number(row['accuracy'], '+.3f')}{number(row['heldout'], '+.3f')}"
        f"{number(row['rate'] * 100, '+.0f', '&nbsp;%')}{number(row['psnr_db'], '+.2f', ' dB')}</tr>"
        for _, row in effect.iterrows()
    ]
    return table(["gamma", "lambda", "accuracy", "held-out reader", "bits", "PSNR"], rows)


def volumes(found: pd.DataFrame) -> str:
    """Hypervolumes by set of codecs."""
    rows = [
        f"<tr><td>{kind}</td>{number(row['plane'] * 100, '.1f', '&nbsp;%')}{number(row['space'], '.3f')}</tr>"
        for kind, row in found.iterrows()
    ]
    return table(["", "rate and accuracy, part of the box", "with PSNR, bpp x dB"], rows)


def cost(points: pd.DataFrame) -> str:
    """Encoding, decoding and reading times by family and codec."""
    reference = points[points["kind"] == "uncompressed"]
    none = number(float("nan"), "")
    read = float("nan") if reference.empty else float(reference.iloc[0]["read_ms"])
    rows = []
    for (family, codec), own in points[points["kind"] != "uncompressed"].groupby(["family", "codec"], sort=False):
        title = f"{family} ({codec})" if own["kind"].isin(["pretrain", "finetune"]).any() else str(family)
        encode = own["encode_ms"].mean()
        rows.append(
            f"<tr>{name(str(family), title)}{number(encode, '.1f', ' ms')}"
            f"{number(own['decode_ms'].mean(), '.1f', ' ms')}"
            f"{number(own['read_ms'].mean(), '.1f', ' ms')}{number(encode / read, '.2f')}</tr>"
        )
    rows.append(f"<tr>{name('uncompressed', 'uncompressed')}{none}{none}{number(read, '.1f', ' ms')}{none}</tr>")
    return table(["", "encode", "decode", "read what was decoded", "encode over reading uncompressed"], rows)


def points(found: pd.DataFrame) -> str:
    """Every point with all its measures."""
    rows = []
    for _, row in found.iterrows():
        key, marked = html.escape(row["trial_key"]), " class=front" if row["on_front"] else ""
        cells = "".join(number(row[column], f".{measure.digits}f") for column, measure in MEASURES.items())
        rows.append(f'<tr data-key="{key}" title="{key}"{marked}>{name(row["family"], row["label"])}{cells}</tr>')
    return table(["codec", *(measure.head for measure in MEASURES.values())], rows, "points", sortable=True)
