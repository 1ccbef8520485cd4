"""A real tracking store, filled as a sweep fills it, with measurements made up from a few plain rules.

Every point reads a page with a `skill`; a page has a `difficulty`, the same for all codecs, so codecs pair by image.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from analysis.readers import FIRST
from analysis.runs import CLASSICAL, FAMILIES, METRICS
from tfic.measuring import details

IMAGES = 24
PICTURES = 4
WORDS = ["INVOICE", "2041", "Kiefer", "& Sons", "Total", "118.40", "EUR", "3 March;", "Room", "27b", "NA", '"quoted"']


@dataclass(frozen=True)
class Made:
    """What a made-up point is and how well it does."""

    key: str
    kind: str
    codec: str
    bpp: float
    skill: float
    heldout: float
    psnr_db: float
    lmbda: float | None = None
    gamma: float | None = None
    quality: int | None = None
    parent: str | None = None
    against: str = ""
    tasks: str = ""


def points(gain: float = 2.0, heldout_gain: float = 1.2) -> list[Made]:
    """A sweep of 3 lambdas and 2 gammas with classical codecs; fine-tuning adds `gain` to the skill of reading."""
    made = [Made("uncompressed", "uncompressed", "uncompressed", 9.1, 4.0, 3.0, math.inf)]
    for lmbda, bpp, skill, psnr in ((0.001, 0.11, -1.0, 19.2), (0.003, 0.24, 0.6, 21.4), (0.01, 0.52, 1.9, 24.3)):
        parent = f"pretrain-l{lmbda:g}"
        made.append(Made(parent, "pretrain", "tic-tiny", bpp, skill, skill - 1, psnr, lmbda, 0.0))
        for gamma, more in ((0.3, 1.12), (1.0, 1.45)):
            made.append(
                Made(
                    f"finetune-l{lmbda:g}-g{gamma:g}", "finetune", "tic-tiny", bpp * more, skill + gain * gamma**0.2,
                    skill - 1 + heldout_gain * gamma**0.2, psnr - 3 - 2 * gamma, lmbda, gamma, parent=parent,
                )
            )  # fmt: skip
    for codec, start, skill in (("jpeg", 0.48, -0.5), ("webp", 0.21, -0.4), ("avif", 0.19, 0.7)):
        for step, quality in enumerate((5, 15, 35)):
            bpp = start * 1.8**step
            made.append(
                Made(
                    f"{codec}-q{quality}",
                    "classical",
                    codec,
                    bpp,
                    skill + 1.5 * step,
                    skill + step,
                    22.0 + 3 * step,
                    quality=quality,
                )
            )
    return made


def transferred() -> list[Made]:
    """A sweep with controls whose codecs are trained against PP-OCRv6, EasyOCR or both, each gaining with its own."""
    made = [Made("uncompressed", "uncompressed", "uncompressed", 9.1, 4.0, 3.0, math.inf)]
    both = "ppocrv6-small+easyocr"
    for lmbda, bpp, skill in ((0.001, 0.11, -1.0), (0.003, 0.24, 0.6), (0.01, 0.52, 1.9)):
        first = f"pretrain-l{lmbda:g}"
        for key, kind, parent in ((first, "pretrain", None), (f"control-l{lmbda:g}", "control", first)):
            made.append(Made(key, kind, "tic-tiny", bpp, skill, skill - 1, 22.0, lmbda, 0.0, None, parent))
        for against, gain, seen in (("ppocrv6-small", 2.0, 0.0), ("easyocr", 0.0, 1.0), (both, 1.5, -2.0)):
            key, rate = f"finetune-l{lmbda:g}-{against}", bpp * (0.95 if lmbda == 0.01 else 1.1)
            heldout = skill - 1 + seen
            made.append(
                Made(key, "finetune", "tic-tiny", rate, skill + gain, heldout, 20.0, lmbda, 1.0, None, first, against)
            )
    return made


def many() -> list[Made]:
    """Two groups of readers with nine fine-tunings each, of three lambdas and gammas, and their controls."""
    made = [each for each in transferred() if each.against in ("", "ppocrv6-small", "easyocr")]
    tuned = [each for each in made if each.against]
    more = []
    for gamma, rate in ((0.3, 0.97), (3.0, 1.03)):
        more += [replace(each, key=f"{each.key}-g{gamma:g}", gamma=gamma, bpp=each.bpp * rate) for each in tuned]
    more = [replace(each, skill=each.skill + math.log(each.gamma or 1)) for each in more]
    return [*made, *more]


def page_texts() -> list[str]:
    """The truths of the made-up pages."""
    rng = np.random.default_rng(3)
    return ["\n".join(" ".join(rng.permutation(WORDS)[:3]) for _ in range(4)) for _ in range(IMAGES)]


def rows_of(point: Made, index: int = 0) -> pd.DataFrame:
    """The rows.csv of a point: accuracy is a logistic of skill minus the page's difficulty."""
    rng = np.random.default_rng(11)
    difficulty, spread = rng.normal(0, 1.2, IMAGES), rng.normal(0, 0.08, IMAGES)
    own = np.random.default_rng(100 + index).normal(0, 0.25, IMAGES)
    truths = page_texts()
    accuracy = 1 / (1 + np.exp(-(point.skill - difficulty + own)))
    learned = point.kind in ("pretrain", "finetune", "control", "halfway")
    bpp = point.bpp * np.exp(spread)
    kept = [round(len(truth) * share) for truth, share in zip(truths, accuracy, strict=True)]
    texts = [truth[:count] + "~" * (len(truth) - count) for truth, count in zip(truths, kept, strict=True)]
    text_cost = 1.0 if point.kind == "finetune" else 4.0
    return pd.DataFrame(
        {
            "image": [f"test-{number:05d}.png" for number in range(IMAGES)],
            "width_px": 256,
            "height_px": 256,
            "file_bytes": (bpp * 65536 / 8).round().astype(int),
            "bpp": bpp,
            "bpp_payload": bpp * 0.9,
            "bpp_estimated": bpp * 0.88 if learned else math.nan,
            "psnr_db": point.psnr_db + 5 * spread + own,
            "ms_ssim": 1.0 if math.isinf(point.psnr_db) else 0.8,
            "psnr_text_db": point.psnr_db - text_cost + 5 * spread + own,
            "psnr_background_db": point.psnr_db + 1.5 + 5 * spread - own,
            "accuracy": accuracy,
            "accuracy_lines": np.minimum(1, accuracy * 1.02),
            "cer": 1 - accuracy,
            "encode_ms": (90 if learned else 2) * np.exp(spread),
            "decode_ms": (85 if learned else 1) * np.exp(spread),
            "read_ms": 180 * np.exp(spread),
            "accuracy_heldout": 1 / (1 + np.exp(-(point.heldout - difficulty + own))),
            "truth": truths,
            "text": texts,
        }
    )


def means_of(rows: pd.DataFrame) -> dict[str, float]:
    """Mean of every number over the images, without those that are not finite."""
    numbers = rows.select_dtypes("number").drop(columns=["width_px", "height_px", "file_bytes"])
    finite = numbers.where(np.isfinite(numbers))
    return {name: float(value) for name, value in finite.mean().items() if math.isfinite(value)}


def world(
    made: list[Made], change: Callable[[pd.DataFrame, Made], pd.DataFrame] = lambda rows, point: rows
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points and rows as `analysis.runs` gives them, without a store; `change` may rewrite the rows of a point."""
    rows, points = [], []
    for index, point in enumerate(made):
        own = change(rows_of(point, index), point)
        rows.append(own.assign(trial_key=point.key))
        family = FAMILIES.get(point.kind) or CLASSICAL[point.codec]
        points.append(
            {
                **dict.fromkeys(METRICS, np.nan),
                **means_of(own),
                "trial_key": point.key,
                "kind": point.kind,
                "family": family,
                "codec": point.codec,
                "label": point.key,
                "variant": "",
                "lmbda": float(point.lmbda or 0),
                "gamma": float(point.gamma or 0),
                "parent": point.parent,
                "trained_against": (point.against or FIRST) if point.kind == "finetune" else "",
                "trained_for": (point.tasks or "reading") if point.kind == "finetune" else "",
                "host": "fixture",
                "stage_1": "",
                "continued": "",
                "warm_lmbda": 0.0,
            }
        )
    return pd.DataFrame(points), pd.concat(rows, ignore_index=True)


def picture(text: str, point: Made) -> bytes:
    """A page with that text as PNG, the blurrier and the more speckled the less the point reads."""
    page = Image.new("RGB", (256, 256), (238, 232, 220))
    draw = ImageDraw.Draw(page)
    draw.rectangle((150, 130, 240, 240), fill=(120, 160, 190))
    for number, line in enumerate(text.split("\n")):
        draw.text((12, 20 + 44 * number), line, fill=(40, 30, 60), font=ImageFont.load_default(15))
    page = page.filter(ImageFilter.GaussianBlur(max(0.0, (3.5 - point.skill) / 3)))
    if point.kind == "finetune":
        speckle = np.random.default_rng(0).normal(0, 14, (256, 256, 1))
        page = Image.fromarray(np.clip(np.asarray(page) + speckle, 0, 255).astype(np.uint8))
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


def noise(point: Made, side_px: int) -> bytes:
    """A page of nothing but noise as PNG, of each point another."""
    rng = np.random.default_rng(round(1e6 * point.bpp))
    page = rng.normal(180, 22, (side_px, side_px, 1)).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(page.repeat(3, 2)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def known_of(point: Made, rows: pd.DataFrame, blocks: int = 16) -> dict[str, details.Details]:
    """What is kept of the pictures: bits where the text is, of what was trained, and a text that Tesseract read."""
    bits = tuple(
        tuple(int(40 * point.bpp * (60 if y % 3 == 1 and x < 10 else 3)) for x in range(blocks)) for y in range(blocks)
    )
    learned = point.lmbda is not None
    return {
        row["image"]: details.Details(
            {"tesseract": row["truth"][: round(len(row["truth"]) * row["accuracy_heldout"])]},
            16 if learned else 0,
            bits if learned else (),
        )
        for row in rows.head(PICTURES).to_dict("records")
    }


def log_sweep(
    client: MlflowClient,
    name: str,
    made: list[Made],
    folder: Path,
    minute: int,
    held: bool = False,
    noise_px: int = 0,
) -> None:
    """Log every point as one FINISHED run of experiment `name`, and one run that failed; artifacts go into `folder`.

    With `held` the store itself holds the artifacts, as a server does. With `noise_px` pictures are noise of that side.
    """
    place = None if held else (folder / "mlartifacts" / name).as_uri()
    experiment = client.create_experiment(name, artifact_location=place)
    start = 1_790_000_000_000 + minute * 60_000
    for index, point in enumerate(made):
        made_with = {
            "git_commit": "0123abc",
            "host": "fixture",
            "device": "cpu",
            "versions": "torch 2.15.0, compressai 1.2.8",
        }
        tags = {"trial_key": point.key, "kind": point.kind, "sweep": name, **made_with}
        if point.parent:
            tags["parent"] = point.parent
        run = client.create_run(experiment, start_time=start, tags=tags, run_name=point.key).info.run_id
        rows = rows_of(point, index)
        settings = {"lmbda": point.lmbda, "gamma": point.gamma, "quality": point.quality, "data.test_count": IMAGES}
        against = {"train.readers": point.against} if point.against else {}
        against |= {"train.tasks": point.tasks} if point.tasks else {}
        params = {
            "codec": point.codec,
            **against,
            **{key: str(value) for key, value in settings.items() if value is not None},
        }
        metrics = {**means_of(rows), "seconds": 42.0}
        client.log_batch(
            run,
            [Metric(key, value, start, 0) for key, value in metrics.items()],
            [Param(key, value) for key, value in params.items()],
            [RunTag("note", "made up")],
        )
        local = folder / "local" / name / point.key
        (local / "pictures").mkdir(parents=True)
        rows.to_csv(local / "rows.csv", index=False)
        noisy = noise(point, noise_px) if noise_px else b""
        for number in range(PICTURES):
            look = noisy or picture(page_texts()[number], point)
            (local / "pictures" / f"test-{number:05d}.png").write_bytes(look)
        known = known_of(point, rows, max(16, noise_px // 16))
        (local / "pictures" / details.FILE).write_bytes(details.dump(known))
        client.log_artifacts(run, str(local))
        client.set_terminated(run, "FINISHED", end_time=start + 1000 * index)
    failed = client.create_run(
        experiment, start_time=start, tags={"trial_key": "finetune-l9-g9", "kind": "finetune", "sweep": name}
    )
    client.set_tag(failed.info.run_id, "failure", "loss became nan at step 7")
    client.set_terminated(failed.info.run_id, "FAILED")
