"""Figures of the readers: the held-out one beside the training reader, page by page, and the transfer matrix."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.brushed import needs
from analysis.curves import by_family, hover
from analysis.figures import styled
from analysis.matched import by_image
from analysis.palette import COLOURS, INK, PAPER, SYMBOLS
from analysis.stats import show
from analysis.transfer import Cell
from tfic.measuring.row import MEASURES

MINUS = "\N{MINUS SIGN}"
DIVERGING = [[0.0, "#5b9bd5"], [0.5, "#f2efe8"], [1.0, "#f0a35e"]]
"""Colours of losses, no difference and gains, each light enough for dark text."""


def readers_figure(points: pd.DataFrame) -> go.Figure:
    """The held-out reader against the training reader; codecs that only the latter reads lie far below the diagonal."""
    figure = go.Figure()
    seen = points.dropna(subset=["accuracy_heldout"])
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": "#b9b5ad", "width": 1, "dash": "dash"},
                       hoverinfo="skip", showlegend=False)  # fmt: skip
    for family, own in by_family(seen):
        figure.add_scatter(
            x=own["accuracy"], y=own["accuracy_heldout"], mode="markers", name=family,
            customdata=own["trial_key"].tolist(), hovertemplate="%{text}<extra></extra>",
            text=[hover(point) for _, point in own.iterrows()],
            marker={"symbol": SYMBOLS.get(family, "star"), "size": 10, "color": COLOURS.get(family, INK),
                    "line": {"color": PAPER, "width": 1}},
        )  # fmt: skip
    figure.update_xaxes(title="accuracy, training reader", range=[-0.02, 1.02])
    figure.update_yaxes(title=MEASURES["accuracy_heldout"].axis, range=[-0.02, 1.02])
    return styled(figure, 420)


def transfer_figure(cells: Sequence[Cell]) -> go.Figure:
    """The transfer matrix as a heat map: rows by what codecs were trained against, columns by who reads."""
    rows, columns = (list(dict.fromkeys(each)) for each in zip(*((c.trained, c.read_by) for c in cells), strict=True))
    values = np.full((len(rows), len(columns)), np.nan)
    texts = np.full(values.shape, "", dtype=object)
    hovers = texts.copy()
    for cell in cells:
        place = rows.index(cell.trained), columns.index(cell.read_by)
        values[place] = cell.gain.value
        texts[place] = f"{cell.gain.value:+.3f}".replace("-", MINUS) + ("*" if cell.own else "")
        hovers[place] = (
            f"<b>against {cell.trained}, read by {cell.read_by}</b><br>{show(cell.gain, sign=True)}<br>"
            f"{cell.codecs} codecs, {cell.gain.images} pages"
        )
    most = float(np.nanmax(np.abs(values))) or 0.01
    figure = go.Figure()
    figure.add_heatmap(
        x=columns, y=rows, z=values.tolist(), text=texts.tolist(),
        texttemplate="%{text}", hovertext=hovers.tolist(),
        hovertemplate="%{hovertext}<extra></extra>", zmin=-most, zmax=most, colorscale=DIVERGING, xgap=2, ygap=2,
        textfont={"size": 14, "color": "#1d1f21"}, hoverongaps=False,
        colorbar={"title": {"text": "accuracy against the control", "side": "right"}, "thickness": 10,
                  "outlinewidth": 0},
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", automargin=True, title="trained against")
    figure.update_xaxes(title="read by", automargin=True, showgrid=False)
    return styled(figure, 160 + 70 * len(rows)).update_yaxes(showgrid=False)


def pages_figure(rows: pd.DataFrame, tuned: pd.Series, baseline: pd.Series) -> go.Figure:
    """Each test page as a line from the accuracy of the comparator to TFIC's, from greatest loss to greatest gain."""
    table = by_image(rows, "accuracy")[[baseline["trial_key"], tuned["trial_key"]]].dropna()
    table.columns = pd.Index(["before", "after"])
    table = table.assign(gain=table["after"] - table["before"]).sort_values("gain")
    places = list(range(len(table)))
    keys = [str(baseline["trial_key"]), str(tuned["trial_key"])]
    figure = go.Figure()
    for rising, colour in ((True, COLOURS["TFIC"]), (False, COLOURS[str(baseline["family"])])):
        x: list[float | None] = []
        y: list[float | None] = []
        for place, (_, page) in enumerate(table.iterrows()):
            if (page["gain"] > 0) == rising:
                x += [place, place, None]
                y += [page["before"], page["after"], None]
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": colour, "width": 2}, opacity=0.35, hoverinfo="skip",
                           showlegend=False, meta=needs([keys], len(x)))  # fmt: skip
    for name, column, family, key in (
        (baseline["label"], "before", str(baseline["family"]), keys[0]),
        (tuned["label"], "after", "TFIC", keys[1]),
    ):
        figure.add_scatter(
            x=places, y=table[column].tolist(), mode="markers", name=name, text=table.index,
            meta=needs([[key]], len(places)),
            hovertemplate="%{text}<br>accuracy %{y:.3f}<extra></extra>",
            marker={"color": COLOURS[family], "symbol": SYMBOLS[family], "size": 8 if len(table) < 80 else 4},
        )  # fmt: skip
    figure.update_yaxes(title="reading accuracy", range=[-0.02, 1.04])
    return styled(figure, 420).update_xaxes(
        title="test pages, from loss to gain", showticklabels=False, ticks="", showgrid=False,
        range=[-0.03 * len(places) - 0.5, 1.03 * len(places) - 0.5],
    )  # fmt: skip
