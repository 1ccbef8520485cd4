"""The figures of the report, drawn by Plotly from values that `analysis.curves` computes.

Colour means one thing everywhere: the family of a codec (Okabe and Ito's palette, safe for colour-blind readers), or,
where a third objective is shown, its value, and then the symbol tells the family.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.offline

from analysis import brushed
from analysis.bd import envelope
from analysis.curves import by_family, curves, front, hover, ticks
from analysis.front import OBJECTIVES, front_of
from analysis.palette import COLOURS, GRID, IN_SPACE, INK, PAPER, QUIET, SYMBOLS, WALL
from analysis.sweep_data import lossy
from tfic.measuring.row import MEASURES

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"


SETTINGS = {"lmbda": "lambda", "lmbda_share": "lmbda share"}
"""Settings whose name in a figure is another than in the tables."""


def rate_figure(points: pd.DataFrame, rows: pd.DataFrame, metric: str, text_bpp: float | None = None) -> go.Figure:
    """A metric against bpp for every family, with the uncompressed reference as a line where it has the metric."""
    figure = go.Figure()
    drawn = curves(points, rows, metric)
    _origins(figure, points, metric)
    for curve in drawn:
        colour, tuned = COLOURS.get(curve.family, INK), curve.family == "TFIC"
        if tuned:
            # Points of many lambdas and gammas make no curve: the line is the best value within each rate.
            rates, best = envelope(np.array(curve.x), np.array(curve.y))
            figure.add_scatter(x=(2**rates).tolist(), y=best.tolist(), mode="lines", opacity=0.45, showlegend=False,
                               line={"color": colour, "width": 3, "shape": "hv"}, hoverinfo="skip",
                               meta=brushed.best(-1, 1, curve.family, flat=True))  # fmt: skip
        learned = curve.family in ("TFIC", "control", "baseline")
        if not tuned:
            figure.add_scatter(x=curve.x, y=curve.y, mode="lines", legendgroup=curve.family, showlegend=False,
                               line={"color": colour, "width": 2.5 if learned else 1.4}, hoverinfo="skip",
                               connectgaps=True, meta=brushed.needs([[key] for key in curve.keys]))  # fmt: skip
        figure.add_scatter(
            x=curve.x, y=curve.y, name=curve.family, text=curve.hover, customdata=curve.keys,
            hovertemplate="%{text}<extra></extra>",
            mode="markers", legendgroup=curve.family,
            marker={"color": colour, "symbol": SYMBOLS.get(curve.family, "circle"), "size": 10 if learned else 7,
                    "line": {"color": PAPER, "width": 1}},
            error_y={"type": "data", "symmetric": False, "array": np.subtract(curve.high, curve.y).tolist(),
                     "arrayminus": np.subtract(curve.y, curve.low).tolist(), "thickness": 1, "width": 0,
                     "visible": learned},
        )  # fmt: skip
    reference = points[points["kind"] == "uncompressed"]
    if not reference.empty and pd.notna(reference.iloc[0][metric]):
        value = reference.iloc[0][metric]
        figure.add_hline(y=value, line={"color": INK, "width": 1.2, "dash": "dash"})
        figure.add_annotation(x=0.24, xref="paper", y=value, yanchor="bottom", xanchor="left", showarrow=False,
                              text=f"read from uncompressed images: {value:.2f}", font={"size": 12})  # fmt: skip
        if text_bpp is not None:
            figure.add_scatter(
                x=[text_bpp], y=[value], mode="markers", name="upper bound: OCR on the device", hovertemplate=(
                    "<b>upper bound: OCR on the device, which sends the text</b><br>"
                    f"bpp {text_bpp:.4f}<br>accuracy {value:.3f}<extra></extra>"),
                marker={"symbol": "star", "size": 14, "color": INK},
            )  # fmt: skip
    if text_bpp is not None:
        figure.add_vline(x=text_bpp, line={"color": INK, "width": 1, "dash": "dot"})
        figure.add_annotation(x=math.log10(text_bpp), y=0.06, xanchor="left", xshift=6, showarrow=False, align="left",
                              text=f"the text alone:<br>{text_bpp:.2g} bpp", font={"size": 12})  # fmt: skip
    shown = [*(rate for curve in drawn for rate in curve.x), *([text_bpp] if text_bpp else [])]
    _log_axis(figure, shown)
    figure.update_yaxes(title=MEASURES[metric].axis, range=[-0.02, 1.04] if metric == "accuracy" else None)
    return styled(figure, 520 if metric == "accuracy" else 440)


def _origins(figure: go.Figure, points: pd.DataFrame, metric: str) -> None:
    """A thin line from each baseline to the codecs that were tuned from it."""
    known = points.set_index("trial_key")
    tuned = points[(points["kind"] == "finetune") & points["parent"].isin(known.index)]
    x: list[float | None] = []
    y: list[float | None] = []
    ends: list[list[str]] = []
    for _, point in tuned.iterrows():
        parent = known.loc[point["parent"]]
        x += [parent["bpp"], point["bpp"], None]
        y += [parent[metric], point[metric], None]
        ends.append([point["parent"], point["trial_key"]])
    if x:
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": "#b9b5ad", "width": 1, "dash": "dot"},
                           hoverinfo="skip", name="fine-tuned from", meta=brushed.needs(ends, 3))  # fmt: skip


def front_figure(points: pd.DataFrame, x: str, y: str, third: str) -> go.Figure:
    """Every codec in two objectives, the third as colour, and the front as a staircase."""
    figure = go.Figure()
    best = front(points, x, y)
    figure.add_scatter(x=best[x].tolist(), y=best[y].tolist(), mode="lines", hoverinfo="skip", showlegend=False,
                       line={"color": INK, "width": 1.5, "shape": "hv" if OBJECTIVES[x] < 0 else "vh"},
                       meta=brushed.best(OBJECTIVES[x], OBJECTIVES[y]))  # fmt: skip
    codecs = lossy(points).dropna(subset=[x, y, third])
    for family, own in by_family(codecs):
        figure.add_scatter(
            x=own[x].tolist(), y=own[y].tolist(), mode="markers", name=family, showlegend=False,
            customdata=own["trial_key"].tolist(),
            text=[hover(point) for _, point in own.iterrows()], hovertemplate="%{text}<extra></extra>",
            marker={"symbol": SYMBOLS.get(family, "circle"), "size": 10, "color": _scaled(own[third], third),
                    "coloraxis": "coloraxis", "line": _edge(family)},
        )  # fmt: skip
    if x == "bpp":
        _log_axis(figure, codecs["bpp"].tolist())
    else:
        figure.update_xaxes(title=MEASURES[x].axis)
    figure.update_yaxes(title=MEASURES[y].axis)
    figure.update_layout(coloraxis=_colour_axis(codecs[third], third))
    return styled(figure, 400)


def space_figure(points: pd.DataFrame) -> go.Figure:
    """All three objectives; colour repeats PSNR, and the codecs on the front have larger marks."""
    codecs = lossy(points).dropna(subset=list(OBJECTIVES))
    on_front = front_of([codecs[name] for name in OBJECTIVES], list(OBJECTIVES.values()))
    figure = go.Figure()
    for family, own in by_family(codecs.assign(on_front=on_front)):
        figure.add_scatter3d(
            x=own["bpp"], y=own["accuracy"], z=own["psnr_db"], mode="markers", name=family, showlegend=False,
            customdata=own["trial_key"].tolist(),
            text=[hover(point) for _, point in own.iterrows()], hovertemplate="%{text}<extra></extra>",
            marker={"symbol": _in_space(family), "size": np.where(own["on_front"], 9, 5).tolist(),
                    "color": own["psnr_db"], "coloraxis": "coloraxis",
                    "line": {"color": COLOURS.get(family, INK), "width": 2}},
        )  # fmt: skip
    marks = ticks(codecs["bpp"].min() * 0.9, codecs["bpp"].max() * 1.1) if len(codecs) else [1.0]
    wall = {"backgroundcolor": WALL, "gridcolor": GRID, "showspikes": False}
    axes = {
        "xaxis": {
            "title": "bpp",
            "type": "log",
            "tickvals": marks,
            "ticktext": [f"{mark:g}" for mark in marks],
            **wall,
        },
        "yaxis": {"title": "accuracy", **wall},
        "zaxis": {"title": "", **wall},
        "camera": {"eye": {"x": -1.6, "y": -1.7, "z": 0.85}, "center": {"x": 0, "y": 0, "z": -0.12}},
        "aspectmode": "cube",
    }
    figure.update_layout(scene=axes, coloraxis=_colour_axis(codecs["psnr_db"], "psnr_db"))
    return styled(figure, 440).update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})


def surface_figure(lmbdas: np.ndarray, gammas: np.ndarray, values: np.ndarray, tuned: pd.DataFrame) -> go.Figure:
    """Accuracy over lambda and gamma, `values` by gamma and lambda, and the fine-tunings that were measured."""
    figure = go.Figure()
    figure.add_contour(x=lmbdas, y=gammas, z=values, colorscale="Cividis", contours={"showlabels": True},
                       hoverinfo="skip", line={"width": 0.6},
                       colorbar={"title": {"text": MEASURES["accuracy"].head, "side": "right"},
                                                      "thickness": 10, "outlinewidth": 0})  # fmt: skip
    figure.add_scatter(
        x=tuned["lmbda"].tolist(), y=tuned["gamma"].tolist(), mode="markers", showlegend=False,
        customdata=tuned["trial_key"].tolist(), meta=brushed.needs([[key] for key in tuned["trial_key"]]),
        text=[hover(point) for _, point in tuned.iterrows()], hovertemplate="%{text}<extra></extra>",
        marker={"color": COLOURS["TFIC"], "size": 7, "line": {"color": PAPER, "width": 1}},
    )  # fmt: skip
    figure.update_xaxes(title="lambda", type="log", range=_around(lmbdas))
    figure.update_yaxes(title="gamma", type="log", range=_around(gammas))
    return styled(figure, 400)


def importance_figure(parts: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Importance of each setting (bars) for each measure (groups)."""
    figure = go.Figure()
    settings = list(dict.fromkeys(name for each in parts.values() for name in each))
    for setting, colour in zip(settings, (COLOURS["TFIC"], COLOURS["baseline"], QUIET, COLOURS["WebP"]), strict=False):
        figure.add_bar(y=[MEASURES[name].label for name in parts],
                       x=[each.get(setting, 0.0) for each in parts.values()], name=SETTINGS.get(setting, setting),
                       orientation="h", marker={"color": colour},
                       hovertemplate="%{y}: %{x:.0%}<extra>%{fullData.name}</extra>")  # fmt: skip
    figure.update_xaxes(title="importance", tickformat=".0%", range=[0, 1.0])
    figure.update_yaxes(autorange="reversed", automargin=True)
    return styled(figure, 400).update_layout(barmode="group")


def html(figure: go.Figure, name: str) -> str:
    """A figure as a piece of HTML that needs `plotly_js` once on its page."""
    config = {"displayModeBar": False, "responsive": True}
    return figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config)


def plotly_js() -> str:
    """The whole of plotly.js, about 4.8 MB."""
    return plotly.offline.get_plotlyjs()


def _log_axis(figure: go.Figure, rates: Sequence[float]) -> None:
    """A rate axis that is logarithmic and says so in round numbers."""
    low, high = (min(rates) / 1.25, max(rates) * 1.25) if rates else (0.1, 1.0)
    marks = ticks(low, high)
    figure.update_xaxes(
        title=MEASURES["bpp"].axis, type="log", range=[math.log10(low), math.log10(high)], tickvals=marks,
        ticktext=[f"{mark:g}" for mark in marks],
    )  # fmt: skip


def _around(values: np.ndarray) -> list[float]:
    """The range of a logarithmic axis with room for marks at both ends."""
    low, high = np.log10(values.min()), np.log10(values.max())
    room = 0.06 * (high - low)
    return [float(low - room), float(high + room)]


def _edge(family: str) -> dict[str, object]:
    """The rim of a mark; an open mark is nothing but rim, in its own colour."""
    return {"width": 2} if SYMBOLS.get(family, "").endswith("-open") else {"color": INK, "width": 0.6}


def _in_space(family: str) -> str:
    """The mark of a family in three dimensions."""
    mark = SYMBOLS.get(family, "circle")
    return IN_SPACE.get(mark, mark)


def _scaled(values: pd.Series, name: str) -> pd.Series:
    """Values for the colour: rates by their logarithm."""
    return np.log10(values) if name == "bpp" else values


def _colour_axis(values: pd.Series, name: str) -> dict[str, object]:
    title = {"text": MEASURES[name].head, "side": "right"}
    bar: dict[str, object] = {"title": title, "thickness": 10, "outlinewidth": 0}  # fmt: skip
    if name == "bpp" and len(values):
        marks = ticks(values.min(), values.max())
        bar |= {"tickvals": [math.log10(mark) for mark in marks], "ticktext": [f"{mark:g}" for mark in marks]}
    return {"colorscale": "Cividis", "colorbar": bar}


def styled(figure: go.Figure, height_px: int) -> go.Figure:
    """The look that all figures share."""
    figure.update_xaxes(gridcolor=GRID, zeroline=False, linecolor=QUIET, ticks="outside", tickcolor=QUIET)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, linecolor=QUIET, ticks="outside", tickcolor=QUIET)
    figure.update_traces(
        unselected={"marker": {"opacity": brushed.FADED}}, selector={"type": "scatter", "mode": "markers"}
    )
    return figure.update_layout(
        height=height_px, showlegend=True, font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor=PAPER, plot_bgcolor=PAPER,
        margin={"l": 62, "r": 18, "t": 18, "b": 56},
        hoverlabel={"bgcolor": PAPER, "font": {"size": 12}, "align": "left"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "font": {"size": 13}},
    )  # fmt: skip
