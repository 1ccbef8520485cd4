"""`python -m analysis.select`: the codec of a sweep that keeps within given limits, and the line that loads it.

    python -m analysis.select --max-bpp 0.2 --min-accuracy 0.95
    python -m analysis.select --min-accuracy 0.9 --max-encode-ms 20 --reader tesseract

With a least accuracy it is the codec with the fewest bits that reads so well, else the one that reads best. Limits are
held against means over the test images; the interval of the accuracy says how sure that is on other pages. Of a codec
that was trained for reading, the held-out readers say whether they lose anything against its control at equal rate.

Exit codes: 0 a codec fits, 1 none fits (the nearest miss is named), 2 bad input.
"""

import sys

from tfic.system import extras

if __name__ == "__main__":  # before the imports that need the extra
    sys.exit(extras.run("analysis.select", None, "report"))

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis import readers, runs
from analysis.choice import Miss, Wanted, choose, interval, nearest_miss, said_of
from analysis.stats import show
from tfic.measuring.row import MEASURES
from tfic.system import cli
from tfic.system.store_uri import shown
from tfic.task_names import FURTHER_TASKS, TASKS


@cli.piped
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the codec to take; returns the exit code."""
    parser = cli.parser("python -m analysis.select", __doc__)
    parser.add_argument("--max-bpp", type=float, metavar="B", help="most bits per pixel of the whole file")
    parser.add_argument("--min-accuracy", type=float, metavar="A", help="least accuracy of the reader, 0 to 1")
    parser.add_argument("--max-encode-ms", type=float, metavar="T", help="longest mean time to encode a page")
    parser.add_argument(
        "--reader", default="training", metavar="NAME", help="the reader, or a task: detection (default: training)"
    )
    runs.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        limits = Wanted(options.max_bpp, options.min_accuracy, options.max_encode_ms)
        sweep = runs.load(options.tracking_uri, options.name, options.test_set)
        known = readers.metrics(sweep.points)
        needed = readers.heldout(sweep.points, sweep.metadata, options.heldout)
        if options.reader not in known:
            raise ValueError(f"no reader {options.reader!r} read in this sweep; there are: {', '.join(known)}")
        task = options.reader if options.reader in FURTHER_TASKS else "reading"
        lines, code = answer(sweep, limits, known[options.reader], needed, task)
    except (ValueError, OSError) as error:
        return cli.bad_input(error)
    for line in lines:
        print(line)
    return code


def answer(
    sweep: runs.Sweep, limits: Wanted, metric: str, needed: Mapping[str, str], task: str = "reading"
) -> tuple[list[str], int]:
    """The sentences and the exit code.

    Args:
        sweep: the sweep.
        limits: what a codec must keep to.
        metric: the accuracy of the reader, or the measure of the task, as a column of the points.
        needed: measures of the held-out readers, by name.
        task: the machine task.
    """
    fitting = choose(sweep.points, limits, metric)
    head = [f"sweep {sweep.name} ({sweep.chosen})", *([sweep.on] if sweep.on else [])]
    if fitting.empty:
        miss = nearest_miss(sweep.points, limits, metric)
        return [*head, f"No codec of {len(sweep.points):,} points fits {limits.text(metric)}.", *_miss(miss)], 1
    first = fitting.iloc[0]
    measures = [(MEASURES[name], first[name]) for name in ("bpp", metric, "psnr_db", "encode_ms", "decode_ms")]
    numbers = ", ".join(f"{measure.label} {measure.show(value)}" for measure, value in measures if value == value)
    lines = [f"{first['label']} ({first['codec']}, {first['trial_key']}): {numbers}"]
    lines.append(f"{len(fitting):,} of {len(sweep.points):,} points fit {limits.text(metric)}.")
    found = interval(sweep, fitting, first["trial_key"], metric, limits.min_accuracy)
    lines.append(
        f"{MEASURES[metric].label} {show(found.accuracy)}, interval over {found.accuracy.images} pages, widened for "
        f"the choice among {len(fitting):,}."
    )
    if limits.min_accuracy is not None:
        lines.append(_sure(found.accuracy.low, limits.min_accuracy, found.safe))
    if found.rival is not None and found.fewer_bits is not None:
        lines.append(
            f"Against {found.rival['label']}, the cheapest of another kind that fits: "
            f"{show(found.fewer_bits, unit=' %', sign=True)} bits."
        )
    lines += _readers_say(sweep, first, needed, task)
    return [*head, *lines, f"Load it: {load_line(first, sweep.uri)}"], 0


def _readers_say(sweep: runs.Sweep, chosen: pd.Series, needed: Mapping[str, str], task: str) -> list[str]:
    """A line with what held-out readers, or models of the task, lose by the choice of a codec that has a stage 2."""
    found = said_of(sweep, chosen, needed, task)
    if found is None:
        return []
    control, said, missing = found
    agent, verb = TASKS[task].agent, TASKS[task].verb
    told = [
        f"{each.reader} {f'{verb}s' if each.lower else f'does not {verb}'} significantly less, "
        f"{show(each.difference, sign=True)}"
        for each in said
    ]
    told += [f"{name} did not measure both" for name in missing]
    kinds = sweep.points.set_index("trial_key")["kind"]
    name = "control" if all(kinds[key] == "control" for key in control.weights) else "baseline"
    than = f"Against its {name} at equal rate ({control.bpp:.3f} bpp): "
    return [than + ("; ".join(told) or f"no held-out {agent} took part") + "."]


def load_line(point: pd.Series, uri: str) -> str:
    """Python that makes the codec of a point."""
    if point["kind"] == "classical":
        return f'tfic.measuring.classical.classical("{point["codec"]}", {point["quality"]:g})'
    return f'tfic.load("runs:/{point["run_id"]}", tracking_uri="{shown(uri)}")'


def _sure(low: float, wanted: float, safe: pd.Series | None) -> str:
    if low >= wanted:
        return f"The whole interval is at {wanted:g} or above."
    held = (
        f"{safe['label']} at {safe['bpp']:.3f} bpp is the cheapest whose whole interval is."
        if safe is not None
        else "No codec's whole interval is; more test images would narrow it."
    )
    return f"The interval reaches below {wanted:g}, so on other pages it may read less. {held}"


def _miss(miss: Miss | None) -> list[str]:
    if miss is None:
        return ["No point has all of these measures."]
    return [f"Nearest miss: {miss.point['label']} ({miss.point['trial_key']}): {'; '.join(miss.why)}."]
