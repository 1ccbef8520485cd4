"""The report of a sweep: one HTML file that works offline, with everything in it computed from the tracking store."""

import argparse
import html
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pandas as pd

from analysis import claims, figures, findings, pictures, runs, tables, verdict
from analysis.evidence import Evidence
from analysis.pareto import OBJECTIVES, front_of


def write(sweep: runs.Sweep, out: Path) -> None:
    """Write the report of `sweep` to the file `out`."""
    out.write_text(page(sweep), encoding="utf-8")


def page(sweep: runs.Sweep) -> str:
    """The whole report as HTML, about 5 MB of which plotly.js is most."""
    evidence = Evidence(sweep.points, runs.rows(sweep))
    chosen = verdict.pick(evidence)
    said = verdict.sentences(evidence)
    judged = claims.judge(evidence.points, evidence.rows)
    body = "\n".join(
        [
            _head(sweep, evidence, said),
            _curves(evidence),
            _choice(evidence),
            _claims(judged, sweep.made),
            _pictures(sweep, evidence, chosen),
            _readers(evidence, chosen),
            _fronts(evidence),
            _cost(evidence),
            _points(evidence),
            _made(sweep, evidence),
        ]
    )
    assets = files("analysis")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(sweep.name)}: compression for reading</title>"
        f"<style>{assets.joinpath('report.css').read_text(encoding='utf-8')}</style>"
        f"<script>{figures.plotly_js()}</script></head>\n<body><main>{body}</main>"
        f"<script>{assets.joinpath('report.js').read_text(encoding='utf-8')}</script></body></html>\n"
    )


def _section(name: str, title: str, *parts: str) -> str:
    return f'<section id="{name}"><h2>{title}</h2>\n' + "\n".join(part for part in parts if part) + "</section>"


def _note(text: str) -> str:
    return f'<p class="note">{text}</p>'


def _plot(figure: figures.go.Figure, name: str) -> str:
    return f'<div class="plot">{figures.html(figure, name)}</div>'


def _head(sweep: runs.Sweep, evidence: Evidence, said: Sequence[str]) -> str:
    images = evidence.rows["image"].nunique()
    links = {
        "rates": "Curves", "choice": "Choosing", "claims": "Claims", "pictures": "Pictures", "readers": "Readers",
        "fronts": "Fronts", "cost": "Cost", "points": "All points", "made": "What made it",
    }  # fmt: skip
    counts = sweep.points["kind"].value_counts()
    kinds = [f"{counts[kind]} {name}" for kind, name in (("pretrain", "baselines"), ("finetune", "TFIC codecs"),
             ("classical", "classical settings")) if kind in counts]  # fmt: skip
    missing = f" Not shown: {sweep.unfinished} failed or unfinished." if sweep.unfinished else ""
    return (
        f'<header><p class="eyebrow">Sweep {html.escape(sweep.name)}: '
        f"{', '.join(kinds)}, on {images} test images.{missing}</p>"
        "<h1>What a machine can still read, and for how many bits</h1>"
        f'<div class="verdict">{"".join(f"<p>{html.escape(sentence)}</p>" for sentence in said)}</div>'
        f"{_note(verdict.departure(sweep.made))}"
        '<p class="note">In brackets: the 95&nbsp;% bootstrap interval over the test images, paired by image for '
        "differences, and widened where the best of several codecs was chosen. It knows how much images differ, and "
        "nothing of a second training with another seed.</p>"
        f"<nav>{''.join(f'<a href=#{name}>{title}</a>' for name, title in links.items())}</nav></header>"
    )


def _curves(evidence: Evidence) -> str:
    bound = verdict.text_bound(evidence.rows)
    return _section(
        "rates",
        "Reading and PSNR against rate",
        "<h3>Reading accuracy</h3>",
        _plot(figures.rate_figure(evidence.points, evidence.rows, "accuracy", bound), "accuracy-bpp"),
        _note(
            "bpp counts every byte of the file, over the pixels of the original. Small images are dominated by "
            "container bytes, so payload bpp stands beside it in the table of points. The thick line is the best of "
            "TFIC within each rate; dotted lines lead from each baseline to the codecs tuned from it; bars are "
            "intervals over images. "
            f"The star is the bound nobody may hide: OCR on the device and sending its text, {bound:.2g} bpp here."
        ),
        "<h3>PSNR</h3>",
        _plot(figures.rate_figure(evidence.points, evidence.rows, "psnr_db"), "psnr-bpp"),
        "<h3>Average differences to the baseline</h3>",
        tables.averages(findings.averages(evidence.points)),
        _note(
            "Averages over the log-rates (or accuracies) that both curves cover, of each family's best within a rate. "
            "Curves that share under half of the shorter one's range are not averaged."
        ),
    )


def _choice(evidence: Evidence) -> str:
    return _section(
        "choice",
        "Choosing a codec",
        "<p>The cheapest codec of each family that keeps a given part of what is read from uncompressed images.</p>",
        tables.cheapest(findings.cheapest(evidence.points), evidence.points),
        "<h3>What fine-tuning with gamma buys and costs</h3>",
        "<p>Each TFIC codec against the baseline it was tuned from.</p>",
        tables.gamma(findings.gamma_effect(evidence.points)),
    )


def _claims(judged: Sequence[claims.Claim], made: pd.DataFrame) -> str:
    return _section(
        "claims",
        "The claims of the slides",
        "<p>Computed from the rows of this sweep. The slides give no thresholds: the rule under each is ours. "
        f"{verdict.departure(made)}</p>",
        tables.claims(judged),
    )


def _pictures(sweep: runs.Sweep, evidence: Evidence, chosen: verdict.Pick | None) -> str:
    if chosen is None:
        return _section("pictures", "Side by side", "<p>No TFIC codec with a baseline has finished yet.</p>")
    shown = pictures.side_by_side(sweep, evidence, chosen)
    rows = [
        f"<h3>{html.escape(title)}</h3>"
        f"{_note('True text: ' + html.escape(' / '.join(cut[0].row['truth'].splitlines())))}"
        f'<div class="pictures">{"".join(pictures.figure(each) for each in cut)}</div>'
        for title, cut in shown
    ]
    if not rows:
        return _section("pictures", "Side by side", "<p>The runs kept no pictures of the same test images.</p>")
    return _section(
        "pictures",
        "Side by side at matched rate",
        "<p>The TFIC codec of the verdict with the baseline and the classical codec nearest to it in rate. Under each "
        "picture is what the training reader read, with its errors marked.</p>",
        *rows,
    )


def _readers(evidence: Evidence, chosen: verdict.Pick | None) -> str:
    has_heldout = evidence.points["accuracy_heldout"].notna().any()
    left = "<h3>Two readers</h3>" + (
        _plot(figures.readers_figure(evidence.points), "readers-figure")
        if has_heldout
        else _note("No held-out reader took part in this sweep.")
    )
    right = ""
    if chosen is not None:
        drawn = figures.pages_figure(evidence.rows, chosen.tuned, chosen.baseline)
        right = f"<div><h3>Page by page</h3>{_plot(drawn, 'pages-figure')}</div>"
    found = "".join(
        f"<div><h3>{html.escape(each.title)}</h3><p>{html.escape(each.text)}</p></div>"
        for each in findings.findings(evidence, chosen)
    )
    return _section(
        "readers",
        "What the readers say",
        f'<div class="pair"><div>{left}</div>{right}</div>',
        _note(
            "A gain that only the training reader sees is a pattern made for it, not text. Far below the diagonal lies "
            "what only that reader can read."
        ),
        f'<div class="findings">{found}</div>',
    )


def _fronts(evidence: Evidence) -> str:
    points = evidence.points
    volumes, corner = findings.volumes(points)
    plots = [("bpp", "accuracy", "psnr_db", "Rate and reading"), ("bpp", "psnr_db", "accuracy", "Rate and PSNR"),
             ("psnr_db", "accuracy", "bpp", "PSNR and reading")]  # fmt: skip
    drawn = "".join(
        f"<div><h3>{title}</h3>{_plot(figures.front_figure(points, x, y, third), f'front-{x}-{y}')}</div>"
        for x, y, third, title in plots
    )
    return _section(
        "fronts",
        "The fronts",
        "<p>The line joins the codecs that no other beats in the two objectives shown; colour is the third.</p>",
        tables.symbols(findings.lossy(points)["family"]),
        f'<div class="pair">{drawn}<div><h3>All three at once: height and colour are PSNR</h3>'
        f"{_plot(figures.space_figure(points), 'front-space')}"
        f"{_note('Large marks: no other codec is better in one objective and as good in the others.')}</div></div>",
        "<h3>Hypervolume</h3>",
        tables.volumes(volumes),
        _note(
            f"Reference point: {corner['bpp']:.3g} bpp (the highest rate of a learned codec), accuracy 0, "
            f"{corner['psnr_db']:.3g} dB (1 dB under the lowest PSNR). Codecs beyond it add nothing. Volumes compare "
            "within this sweep only."
            if corner
            else "There is no learned codec yet to take a reference point from."
        ),
    )


def _cost(evidence: Evidence) -> str:
    return _section(
        "cost",
        "What it costs in time",
        "<p>Means per test image on the machine that measured. TFIC pays where encoding is cheaper than reading; the "
        "slides give a ratio of 0.54.</p>",
        tables.cost(evidence.points),
    )


def _points(evidence: Evidence) -> str:
    mask = front_of([evidence.points[name] for name in OBJECTIVES], list(OBJECTIVES.values()))
    return _section(
        "points",
        "All points",
        "<p>Shaded: on the front of bpp, accuracy and PSNR. A click on a head sorts by it.</p>",
        tables.points(evidence.points.assign(on_front=mask)),
    )


def _made(sweep: runs.Sweep, evidence: Evidence) -> str:
    made, seconds = sweep.made, evidence.points["seconds"].dropna()
    ingested = len(evidence.points) - len(seconds)
    elsewhere = f"; {ingested} were trained elsewhere, their time is not known" if ingested else ""
    facts = {
        "sweep": f"{sweep.name} ({sweep.chosen})",
        "tracking store": sweep.uri,
        "finished": f"{len(sweep.points)} runs, the last on {made['ended'].max():%Y-%m-%d %H:%M} UTC",
        "test images": f"{evidence.rows['image'].nunique()}",
        "computing": f"{seconds.sum() / 60:.0f} minutes of {len(seconds)} trials{elsewhere}",
        **{
            name: "; ".join(runs.distinct(made, column))
            for name, column in (
                ("git commit", "git_commit"), ("device", "device"), ("host", "host"), ("versions", "versions"),
                ("codecs", "codec"),
                ("training images", "data.train_count"), ("stage 1 steps", "train.pretrain_steps"),
                ("stage 2 steps", "train.finetune_steps"), ("lmbda_share in stage 2", runs.LMBDA_SHARE),
                ("detector's short side", "eval.detect_side_px"),
            )
        },
        "report written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }  # fmt: skip
    return _section(
        "made",
        "What made it",
        "<dl>"
        + "".join(f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items() if value)
        + "</dl>",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report; returns the exit code, 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.report", description="Write the report of a sweep as one HTML file."
    )
    parser.add_argument(
        "--out", type=Path, default=Path("report.html"), help="the file to write (default: report.html)"
    )
    runs.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        if not options.out.resolve().parent.is_dir():
            raise ValueError(
                f"there is no folder {options.out.resolve().parent} to write {options.out.name} in; make it first"
            )
        sweep = runs.load(options.tracking_uri, options.name)
        write(sweep, options.out)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.out.resolve()}: {len(sweep.points)} points of sweep {sweep.name} ({sweep.chosen})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
