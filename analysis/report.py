"""The report of a sweep: one HTML file that works offline, with everything in it computed from the tracking store.

The text and the layout are in `analysis/templates`; this module computes what they show.
"""

import sys

from tfic.system import extras

if __name__ == "__main__":  # before the imports that need the extra
    sys.exit(extras.run("analysis.report", None, "report"))

import json
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis import (
    claims,
    drawn,
    explore,
    figures,
    findings,
    loss_rates,
    palette,
    pictures,
    reader_figures,
    readers,
    runs,
    seeds,
    summaries,
    surface,
    transfer,
    verdict,
)
from analysis.best import BestPair, best_pair
from analysis.front import OBJECTIVES, front_of
from analysis.published import publish
from analysis.sweep_data import SweepData, lossy
from analysis.watch import watch
from tfic.config import LMBDA_SHARE
from tfic.measuring.row import MEASURES
from tfic.system import cli
from tfic.system.files import write_whole
from tfic.system.store_uri import resolve, shown

FACTS = {
    "git commit": "git_commit", "device": "device", "host": "host", "versions": "versions", "codecs": "codec",
    "training images": "data.train_count", "stage 1 steps": "train.pretrain_steps",
    "stage 2 steps": "train.finetune_steps", "lmbda_share in stage 2": LMBDA_SHARE,
    "detector's short side": "eval.detect_side_px",
}  # fmt: skip
"""Tags and parameters under "Provenance", by the name that the report gives them."""
COUNTED = {"pretrain": "baselines", "control": "controls", "finetune": "TFIC codecs", "classical": "classical settings"}
"""Kinds of runs that the first line of the report counts, and their names there."""


def write(sweep: runs.Sweep, out: Path, heldout: str | None = None) -> None:
    """Write the report of `sweep` to the file `out`; arguments and errors as those of `page`."""
    write_whole(out, page(sweep, heldout).encode())


def page(sweep: runs.Sweep, heldout: str | None = None) -> str:
    """The whole report as HTML: 5 MB of plotly.js, up to 5 MB of thumbnails, and the figures.

    Args:
        sweep: the sweep.
        heldout: names of the readers that the verdict needs, with commas; None for those that the sweep records.

    Raises:
        ValueError: for a reader that is not known or measured nothing, and when measurements are gone.
    """
    needed = readers.heldout(sweep.points, sweep.metadata, heldout)
    points = sweep.points.assign(on_front=front_of([sweep.points[name] for name in OBJECTIVES], [*OBJECTIVES.values()]))
    shown = drawn.drawn(points)
    by_key, cheapest = points.set_index("trial_key").to_dict("index"), summaries.cheapest(points)
    rows = runs.rows(sweep, shown["trial_key"].tolist())
    data = SweepData(shown, rows, len(points) - len(shown), needed)
    best = best_pair(data)
    volumes, corner = summaries.volumes(points)
    looks = explore.looks(sweep, data)
    fitted = _surface(points)
    cells = transfer.matrix(data)
    drawings = _figures(data, best, fitted, cells)
    block = explore.block(data, sweep.metadata, looks, _pair(data, best), cells)
    counts = points["kind"].value_counts()
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            sweep=sweep,
            counts=[f"{counts[kind]} {name}" for kind, name in COUNTED.items() if kind in counts],
            images=data.rows["image"].nunique(),
            rates=loss_rates.table(data),
            losses=loss_rates.LOSSES,
            readers={name: readers.title(name) for name in readers.metrics(points)},
            needed=[readers.title(name) for name in needed],
            transfer=cells,
            infinite=float("inf"),
            gallery_pages=list(looks),
            pictured=len(next(iter(looks.values()), {})),
            explore=Markup(json.dumps(block, allow_nan=False).replace("<", "\\u003c")),
            dark=Markup(json.dumps(palette.DARK)),
            tuned_count=int((points["kind"] == "finetune").sum()),
            explained=fitted[1].explained if fitted else 0.0,
            pooled=surface.pooled(sweep.metadata),
            sentences=verdict.sentences(data, best),
            departure=verdict.departure(sweep.metadata),
            text_bpp=verdict.text_bpp(data.rows),
            best=best,
            summarised=drawn.sentence(points, shown),
            claims=claims.judge(data),
            findings=findings.findings(data, best),
            side_by_side=pictures.side_by_side(sweep, data, best) if best else [],
            averages=summaries.averages(points),
            cheapest=cheapest,
            spreads=seeds.spreads(data),
            lowest_bpp={
                level: min((by_key[key]["bpp"] for key in keys if key), default=0.0)
                for level, keys in cheapest.iterrows()
            },
            gamma=summaries.gamma_effect(data),
            times=summaries.times(points),
            volumes=volumes,
            corner=corner,
            families=set(lossy(points)["family"]),
            points=shown.to_dict("records"),
            unknown=[name for name in MEASURES if shown[name].isna().all()],
            by_key=by_key,
            provenance=provenance(sweep, data),
            plots={name: Markup(figures.html(figure, f"figure-{name}")) for name, figure in drawings.items()},
            plotly_js=Markup(figures.plotly_js()),
        )
    )


def environment() -> Environment:
    """The templates, with everything escaped that is not HTML on purpose, and an error for any name they lack."""
    found = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["signed"] = signed
    found.filters["whole"] = whole
    found.tests["missing"] = pd.isna
    found.globals |= {"colours": palette.COLOURS, "symbols": palette.SYMBOLS, "ink": palette.INK, "measures": MEASURES}
    return found


def signed(value: float, how: str) -> str:
    """A number as text with a true minus sign."""
    return format(value, how).replace("-", "\N{MINUS SIGN}")


def whole(value: float) -> str:
    """Percent without digits; an end that no pages drawn again decide has none."""
    return signed(value, ".0f") if math.isfinite(value) else "\N{MINUS SIGN}\N{INFINITY}"


def provenance(sweep: runs.Sweep, data: SweepData) -> dict[str, str]:
    """The origin of the numbers, by name; "" for a fact that is not known."""
    seconds = sweep.points["seconds"].dropna()
    ingested = len(sweep.points) - len(seconds)
    elsewhere = f"; {ingested} were trained elsewhere, their time is not known" if ingested else ""
    return {
        "sweep": f"{sweep.name} ({sweep.chosen})",
        "tracking store": shown(sweep.uri),
        "finished": f"{len(sweep.points)} runs, the last on {sweep.metadata['ended'].max():%Y-%m-%d %H:%M} UTC",
        "test images": f"{data.rows['image'].nunique()}; {sweep.test_set}",
        "computing": f"{seconds.sum() / 60:.0f} minutes of {len(seconds)} trials{elsewhere}",
        **{name: "; ".join(runs.distinct(sweep.metadata, column)) for name, column in FACTS.items()},
        "report written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


Fitted = tuple[np.ndarray, surface.Surface, dict[str, dict[str, float]]]
"""Settings of the fine-tunings, the surface of their accuracy, and the importance of settings by measure."""


def _surface(points: pd.DataFrame) -> Fitted | None:
    """The surface of all fine-tunings, or None where they are too few or of one lambda or gamma."""
    tuned = points[(points["kind"] == "finetune") & (points["gamma"] > 0)]
    names, settings = surface.settings_of(tuned)
    parts = {}
    for name in ("bpp", *readers.metrics(points).values(), "psnr_db"):
        known = tuned[name].notna().to_numpy()
        found = surface.fit(names, settings[known], tuned.loc[known, name].to_numpy(dtype=float))
        if found and len(names) == 2:
            parts[name] = surface.importance(found, settings[known])
            if name == "accuracy":
                accuracy = found
    return (settings, accuracy, parts) if "accuracy" in parts else None


def _pair(data: SweepData, best: BestPair | None) -> list[str]:
    """The codecs that the gallery begins with: those of the verdict, else the first two."""
    if best:
        return [best.tuned["trial_key"], best.baseline["trial_key"]]
    return lossy(data.points)["trial_key"].tolist()[:2]


def _figures(
    data: SweepData, best: BestPair | None, fitted: Fitted | None, cells: Sequence[transfer.Cell]
) -> dict[str, figures.go.Figure]:
    """Every figure of the report by its name in the templates."""
    points, rows = data.points, data.rows
    found = {
        "accuracy-bpp": figures.rate_figure(points, rows, "accuracy", verdict.text_bpp(rows)),
        "psnr-bpp": figures.rate_figure(points, rows, "psnr_db"),
        "front-space": figures.space_figure(points),
    }
    for x, y, third in (("bpp", "accuracy", "psnr_db"), ("bpp", "psnr_db", "accuracy"), ("psnr_db", "accuracy", "bpp")):
        found[f"front-{x}-{y}"] = figures.front_figure(points, x, y, third)
    if points["accuracy_heldout"].notna().any():
        found["readers"] = reader_figures.readers_figure(points)
    if cells:
        found["transfer"] = reader_figures.transfer_figure(cells)
    if best:
        found["pages"] = reader_figures.pages_figure(rows, best.tuned, best.baseline)
    if fitted:
        settings, accuracy, parts = fitted
        found["surface"] = figures.surface_figure(*surface.grid(accuracy, settings), data.kind("finetune"))
        found["importance"] = figures.importance_figure(parts)
    return found


@cli.piped
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report; returns the exit code, 2 for input that cannot be used."""
    parser = cli.parser("python -m analysis.report", "Write the report of a sweep as one HTML file.")
    parser.add_argument(
        "--out", type=Path, default=Path("report.html"), help="the file to write (default: report.html)"
    )
    words = "write it anew every S seconds while runs finish, until Ctrl-C (default 60)"
    parser.add_argument("--watch", type=float, metavar="S", nargs="?", const=60.0, help=words)
    words = "also log it to the tracking store, as report.html of a run named for it"
    parser.add_argument("--log", action="store_true", help=words)
    runs.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        if not options.out.resolve().parent.is_dir():
            raise ValueError(
                f"there is no folder {options.out.resolve().parent} to write {options.out.name} in; make it first"
            )
        if options.watch is not None and not options.watch > 0:
            raise ValueError(f"--watch is {options.watch:g}; it must be a number of seconds above 0")
        uri = resolve(options.tracking_uri)

        def load() -> runs.Sweep:
            return runs.load(uri, options.name, options.test_set)

        def tell(sweep: runs.Sweep) -> None:
            write(sweep, options.out, options.heldout)
            _say(sweep, options.out, options.log)

        if options.watch is None:
            tell(load())
        else:
            watch(load, tell, options.watch, time.sleep)
    except (ValueError, OSError) as error:
        return cli.bad_input(error)
    except KeyboardInterrupt:
        return 130
    return 0


def _say(sweep: runs.Sweep, out: Path, log: bool) -> None:
    """Tell of a report that was written, and log it if that is wanted."""
    if log:
        cli.say(f"logged as report.html of run {publish(sweep, out)}")
    cli.say(f"{out.resolve()}: {len(sweep.points)} points of sweep {sweep.name} ({sweep.chosen})")
    if sweep.on:
        cli.say(sweep.on)
