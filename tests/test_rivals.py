"""Rivals: what an engineer tries before training a codec."""

import pickle
import sys

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from sweep.options import RIVALS, parse
from sweep.run import main
from sweep.spec.axes import Qualities
from tfic.measuring.classical import SETTINGS, classical, installed
from tfic.measuring.metrics import psnr_db
from tfic.measuring.prepared import flattened
from tfic.ocr.detector import TextDetector
from tfic.synth import draw

PAGE = draw(0, "test", 0, height_px=128, width_px=160)
IMAGE = Image.fromarray(PAGE.image)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_codec_may_be_handed_to_another_process_and_keeps_the_size(name: str) -> None:
    odd = IMAGE.crop((0, 0, 101, 67))
    codec = pickle.loads(pickle.dumps(classical(name, 40)))
    data = codec.encode(odd)
    assert pickle.loads(pickle.dumps(codec)).decode(data).size == odd.size
    assert 0 < codec.overhead_bytes(odd) < len(data)


def test_half_the_size_costs_less_and_loses_detail() -> None:
    whole, half = classical("avif", 40), classical("avif_half", 40)
    small = half.encode(IMAGE)
    assert len(small) < 0.6 * len(whole.encode(IMAGE))
    decoded = np.asarray(half.decode(small))
    assert psnr_db(PAGE.image, decoded) < psnr_db(PAGE.image, np.asarray(whole.decode(whole.encode(IMAGE))))
    assert psnr_db(PAGE.image, decoded) > 15


def test_flattening_keeps_the_text_and_saves_the_bits_of_the_rest() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    box = ((50.0, 80.0), (250.0, 80.0), (250.0, 110.0), (50.0, 110.0))
    flat = flattened(noise, [box])
    assert np.array_equal(flat[75:115, 45:255], noise[75:115, 45:255])
    assert flat[:60].std() < 0.1 * noise.std()
    assert flattened(noise, []).std() < 0.1 * noise.std()
    codec = classical("jpeg_flat", 20)
    found = TextDetector(threads=1).find(PAGE.image)
    assert found
    again = flattened(PAGE.image, found)
    assert np.array_equal(np.asarray(codec.decode(codec.encode(IMAGE))), np.asarray(
        (plain := classical("jpeg", 20)).decode(plain.encode(Image.fromarray(again)))
    ))  # fmt: skip


def test_a_sweep_compares_with_the_rivals_that_are_asked_for() -> None:
    named = parse(["--recipe", "tiny", "--rivals", "heic", "avif_half"], None).sweep.space.classical
    assert named == Qualities(
        (10,), (10,), (20,), avif_half=SETTINGS["avif_half"].qualities, heic=SETTINGS["heic"].qualities
    )
    every = parse(["--recipe", "tiny", "--rivals"], None).sweep.space.classical
    assert all(getattr(every, name) == SETTINGS[name].qualities for name in RIVALS)
    none = parse(["--recipe", "tiny"], None).sweep
    assert {trial.config.codec for trial in none.anchors()} == {"jpeg", "webp", "avif"}


def test_a_rival_that_is_not_installed_is_said_or_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    assert [name for name in SETTINGS if not installed(name)] == ["jxl"]
    with pytest.raises(ModuleNotFoundError):
        classical("jxl", 40)
    assert parse(["--recipe", "tiny", "--rivals"], None).sweep.space.classical.jxl == ()
    assert capsys.readouterr().out == "Not compared with: jxl not installed; pip install 'tfic-sweep[rivals]'\n"
    refused(
        main, ["--recipe", "tiny", "--rivals", "jxl"], "jxl not installed; pip install 'tfic-sweep[rivals]'", capsys
    )
    refused(main, ["--recipe", "tiny", "--rivals", "hiec"], "no rival 'hiec'; did you mean 'heic'? There are ", capsys)
