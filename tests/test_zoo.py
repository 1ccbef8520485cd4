"""The codecs that ship load offline, obey the laws of coding on pages, and are what their cards say."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tfic
from tfic.checkpoints import checkpoint, models
from tfic.checkpoints.models import zoo
from tfic.codec.bitstream import OVERHEAD_BYTES
from tfic.config import DataConfig
from tfic.data import draw_set

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def pages() -> list[Image.Image]:
    return [Image.fromarray(page.image) for page in draw_set("test", 100, DataConfig())]


def card(name: str) -> str:
    return models.find(name).with_suffix(".md").read_text(encoding="utf-8")


def stated(name: str, measure: str) -> float:
    row = next(line for line in card(name).splitlines() if line.startswith(f"| {measure}"))
    return float(row.split("|")[2].split()[0])


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def test_weights_stay_small() -> None:
    sizes = [models.find(name).stat().st_size for name in zoo()]
    assert max(sizes) < 8 << 20
    assert sum(sizes) < 60 << 20


@pytest.mark.parametrize("name", zoo())
def test_a_card_says_what_its_weights_do(name: str, pages: list[Image.Image]) -> None:
    config, path = checkpoint.config_of(models.find(name)), models.find(name)
    text = card(name)
    assert f"{path.stat().st_size:,} bytes" in text
    assert re.search(rf"\| lambda \| {config.lmbda:g} \|", text)
    assert re.search(rf"\| gamma \| {config.gamma:g}\b", text)
    assert f"on {len(pages)} test pages" in text
    codec = tfic.load(name)
    bpp = [8 * len(codec.encode(page)) / (page.width * page.height) for page in pages]
    assert np.mean(bpp) == pytest.approx(stated(name, "bits per pixel"), abs=0.006)  # two digits are stated


@pytest.mark.parametrize(
    "name",  # two passes and a larger decoder: with 100 pages too long for an ordinary test
    [pytest.param(each, marks=pytest.mark.slow if each.startswith("zoo/lite-vbr") else ()) for each in zoo()],
)
@torch.no_grad()
def test_training_bits_are_at_least_evaluation_bits_and_coded_bits_these_within_one_percent(
    name: str, pages: list[Image.Image]
) -> None:
    """Over all pages. On a single one coded bits may be fewer: the estimate knows no value less likely than 1e-9, the
    tables none less likely than 2^-16, so that rare values cost less than they are said to. A lite-vbr codes with the
    table of the nearest scale, which may be the narrower one.
    """
    codec = tfic.load(name)
    for page in pages[:3]:
        torch.manual_seed(0)
        noisy = np.mean([float(codec.train()(tensor(page)).bits()) for _ in range(4)])
        assert noisy >= float(codec.eval()(tensor(page)).bits())
    estimated = sum(codec.estimated_bits(page) for page in pages)
    coded = sum(8 * (len(codec.encode(page)) - OVERHEAD_BYTES) for page in pages)
    assert (estimated if codec.level is None else 0.99 * estimated) <= coded <= 1.01 * estimated


@pytest.mark.parametrize(
    "name", [name for name in zoo() if checkpoint.config_of(models.find(name)).codec == "lite-vbr"]
)
def test_more_quality_costs_more_and_shows_more_between_the_knots_too(name: str, pages: list[Image.Image]) -> None:
    codec = tfic.load(name)
    bits, errors = [], []
    for quality in range(0, 101, 10):
        data = [codec.encode(page, quality) for page in pages[:5]]
        bits.append(sum(len(each) for each in data))
        shown = zip(pages, (np.asarray(codec.decode(each), float) for each in data), strict=False)
        errors.append(float(np.mean([np.square(np.asarray(page) - x_hat).mean() for page, x_hat in shown])))
    assert bits == sorted(bits)
    assert errors == sorted(errors, reverse=True)
    rows = [line.split("|") for line in card(name).splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == 10, "five qualities on scenes, five on documents"
    for kind in (rows[:5], rows[5:]):
        for column in (1, 3, 4):  # quality, bits per pixel, PSNR
            values = [float(row[column].split()[0]) for row in kind]
            assert values == sorted(values)


@pytest.mark.slow
def test_fine_tuning_of_the_foundation_dry_runs_from_call_to_call_compares_and_ships(
    tmp_path: Path, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("finetune_foundation")

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["finetune_foundation.py", str(tmp_path / "runs"), *arguments])
        return int(script.main())

    assert call("--minutes", "0", "--steps", "2") == 3
    assert "the same command goes on" in capsys.readouterr().out
    with pytest.raises(ValueError, match="is not done; the same command without --ship goes on"):
        call("--ship", "--steps", "2")
    assert call("--minutes", "10", "--steps", "2") == 0
    told = capsys.readouterr().out
    assert "| gamma2, 75 |" in told
    assert "| avif" in told
    assert call("--ship", "--steps", "2", "--out", str(tmp_path / "zoo")) == 0
    tuned, base = tfic.load(tmp_path / "zoo" / "lite-vbr-reading.safetensors"), tfic.load("zoo/lite-vbr")
    data = tuned.encode(pages[0], 30)
    assert np.array_equal(np.asarray(base.decode(data)), np.asarray(tuned.decode(data))), "one decoder reads both"
    card = (tmp_path / "zoo" / "lite-vbr-reading.md").read_text(encoding="utf-8")
    assert "it goes with lambda" in card
    assert "weights on 1 test pages" in card
    assert "On 1 pages of documents:" in card
    gpu = script.scales(None, (2.0,), ("easyocr",))["gpu"].config
    assert [script._pages(gpu, name).test_count for name in script.SETS] == [100, 100, 50]


def test_the_foundation_decodes_the_files_of_the_codec_for_reading_and_the_other_way_round(
    pages: list[Image.Image],
) -> None:
    foundation, reading = tfic.load("zoo/lite-vbr"), tfic.load("zoo/lite-vbr-reading")
    data = reading.encode(pages[0], quality=30)
    assert data != foundation.encode(pages[0], quality=30)
    assert np.array_equal(np.array(foundation.decode(data)), np.array(reading.decode(data)))
    data = foundation.encode(pages[0], quality=80)
    assert np.array_equal(np.array(foundation.decode(data)), np.array(reading.decode(data)))
