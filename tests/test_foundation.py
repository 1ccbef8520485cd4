"""Stages that start from a trained model, and one training for every rate."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_files import ready_codec
from PIL import Image
from test_train import StoppedError, config, ignore, same, stop_at, weights

from tfic.__main__ import main
from tfic.checkpoints import checkpoint, models
from tfic.codec.quality import lmbda_of
from tfic.codec.variable_rate import VariableRate
from tfic.config import Config
from tfic.synth import draw
from tfic.training.rates import draw_rates, pixel_loss, weigh_reading
from tfic.training.train import Progress, fit

pytestmark = pytest.mark.slow

pytestmark = pytest.mark.slow

PAGE = Image.fromarray(draw(0, "test", 0).image[:64, :96])
SMALL = {"crop_height_px": 64, "crop_width_px": 128, "read_width_px": 300, "batch": 4, "finetune_batch": 4}
STAGE_2 = {"learns": "encoder", "reading": "features", "lmbda_share": 1.0, "rest_distortion": 0.1}


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lite-vbr that has not learnt much, with quality 50 as its own."""
    path = tmp_path_factory.mktemp("foundation") / "codec.safetensors"
    codec = ready_codec("lite-vbr")
    with torch.no_grad():
        codec.g_s[-1].conv.weight[0] = -0.0  # as rounding to half precision leaves it: no mean may make 0.0 of it
    codec.update()
    checkpoint.save(codec, Config(codec="lite-vbr"), path)
    return path


def settings(start: Path, gamma: float = 0.0, lmbda: float = 0.0032, **train: object) -> Config:
    return replace(config(gamma, start=models.pinned(str(start)), **SMALL | train), codec="lite-vbr", lmbda=lmbda)


@pytest.fixture(scope="module")
def runs(foundation: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trainings for the whole range: a stage 1 without steps, and from it a control, an encoder and a whole codec."""
    folder = tmp_path_factory.mktemp("runs")
    common = {"pretrain_steps": 0, "whole_range": True}
    start = fit(settings(foundation, **common), folder / "start", ignore)
    control = replace(settings(foundation, **common), control=True)
    return {
        "foundation": foundation,
        "start": start,
        "control": fit(control, folder / "control", ignore, start),
        "encoder": fit(settings(foundation, 1.0, **common, **STAGE_2), folder / "encoder", ignore, start),
        "all": fit(settings(foundation, 1.0, **common), folder / "all", ignore, start),
    }


def test_a_stage_1_without_steps_is_the_foundation_and_its_files_are_the_foundation_s(
    foundation: Path, tmp_path: Path
) -> None:
    codecs = {
        lmbda: checkpoint.load(fit(settings(foundation, lmbda=lmbda, pretrain_steps=0), tmp_path / f"{lmbda}", ignore))
        for lmbda in (0.0008, 0.0032, 0.0128)
    }
    base = checkpoint.load(foundation)
    for lmbda, codec in codecs.items():
        assert codec.fingerprint == base.fingerprint
        quality = {0.0008: 0, 0.0032: 50, 0.0128: 100}[lmbda]
        assert codec.level == 2 * quality
        assert codec.encode(PAGE) == base.encode(PAGE, quality)
    with pytest.raises(ValueError, match="pretrain_steps is 0; it must be 1 or more"):
        config(pretrain_steps=0)


def test_stage_1_goes_on_from_the_foundation_and_again_after_a_kill(foundation: Path, tmp_path: Path) -> None:
    made = settings(foundation, pretrain_steps=3, learning_rate=1e-9)
    trained = checkpoint.load(fit(made, tmp_path / "slow", ignore)).state_dict()
    before = checkpoint.load(foundation).state_dict()
    assert all(torch.allclose(trained[name], before[name], atol=1e-6) for name in before if name.startswith("g_"))
    made = settings(foundation, pretrain_steps=3)
    whole = fit(made, tmp_path / "whole", ignore)
    with pytest.raises(StoppedError):
        fit(made, tmp_path / "cut", stop_at(3, "pretrain"))
    assert same(weights(fit(made, tmp_path / "cut", ignore)), weights(whole))


def test_one_decoder_reads_the_files_of_every_gamma_and_quality(runs: dict[str, Path]) -> None:
    base, tuned, other = (checkpoint.load(runs[name]) for name in ("foundation", "encoder", "all"))
    assert tuned.fingerprint == base.fingerprint != other.fingerprint
    for quality in (0, 30, 100):
        data = tuned.encode(PAGE, quality)
        assert np.array_equal(np.asarray(base.decode(data)), np.asarray(tuned.decode(data)))
        assert np.array_equal(np.asarray(tuned.decode(base.encode(PAGE, quality))), np.asarray(
            base.decode(base.encode(PAGE, quality))))  # fmt: skip
    files = [[codec.encode(PAGE, quality) for quality in (0, 30, 60, 100)] for codec in (base, tuned)]
    assert files[0] != files[1], "the encoder has learnt"
    moved = {n.split(".")[0] for n, t in tuned.state_dict().items() if not torch.equal(t, base.state_dict()[n])}
    assert moved == {"g_a", "h_a"}
    assert weights(runs["control"])["own_level"] == weights(runs["foundation"])["own_level"]
    assert not same(weights(runs["control"]), weights(runs["foundation"]))


def test_the_decoder_of_a_training_at_one_rate_is_the_foundation_s_too(foundation: Path, tmp_path: Path) -> None:
    made = settings(foundation, 1.0, lmbda=0.0016, pretrain_steps=0, **STAGE_2)
    tuned, base = checkpoint.load(fit(made, tmp_path, ignore)), checkpoint.load(foundation)
    assert tuned.level == 50
    assert np.array_equal(np.asarray(base.decode(tuned.encode(PAGE))), np.asarray(tuned.decode(tuned.encode(PAGE))))


def test_another_model_in_the_place_of_the_foundation_is_refused(foundation: Path, tmp_path: Path) -> None:
    file = tmp_path / "codec.safetensors"
    file.write_bytes(foundation.read_bytes())
    name = models.pinned(str(tmp_path))
    assert name == models.pinned(name) == f"{tmp_path}@{models.weights_of(name)}"
    assert models.find(name) == file
    codec = checkpoint.load(file)
    with torch.no_grad():
        codec.g_s[-1].conv.bias.add_(1)
    codec.update()
    checkpoint.save(codec, Config(codec="lite-vbr"), file)
    with pytest.raises(ValueError, match=r"weights .* now, where .* are asked for"):
        models.find(name)
    with pytest.raises(ValueError, match="a lite-vbr; a tic-tiny starts from one of its own kind"):
        fit(config(start=str(foundation)), tmp_path / "run", ignore)
    with pytest.raises(ValueError, match="whole_range is true for codec tic-tiny, which has one rate; take lite-vbr"):
        fit(config(whole_range=True), tmp_path / "run", ignore)


def test_the_command_line_starts_from_a_model_by_its_name(
    foundation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", str(tmp_path / "run"), "--recipe", "tiny", "--lmbda", "1", "--start"]
    assert main([*train, "zoo/none"]) == 2
    assert "no model 'zoo/none'" in capsys.readouterr().err
    assert main([*train, str(foundation)]) == 2
    assert f"start is {models.pinned(str(foundation))}, a lite-vbr" in capsys.readouterr().err
    assert main([*train, str(foundation), "--gamma", "1"]) == 2
    assert "stage 2 starts from a tic-tiny of stage 1" in capsys.readouterr().err


def test_each_image_of_the_whole_range_has_the_loss_of_its_own_lambda(foundation: Path) -> None:
    codec = checkpoint.load(foundation).train()
    assert isinstance(codec, VariableRate)
    rates = draw_rates(np.random.default_rng(0), 4, 0.0032)
    assert sorted(int(each) for each in rates.quality // 25) == [0, 1, 2, 3]
    assert [lmbda_of(float(each)) for each in rates.quality] == pytest.approx(rates.lmbda.tolist(), rel=1e-5)
    x = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        result = codec(x, quality=rates.quality)
    losses = [
        math.sqrt(0.0032 / float(lmbda)) * (float(lmbda) * 255**2 * float(error) + float(bits) / 64**2)
        for lmbda, error, bits in zip(
            rates.lmbda,
            (result.x_hat - x).square().mean((1, 2, 3)),
            sum(-each.log2().flatten(1).sum(1) for each in result.likelihoods),
            strict=True,
        )
    ]
    assert float(pixel_loss(result, x, rates)) == pytest.approx(np.mean(losses), rel=1e-4)


def test_reading_keeps_its_balance_with_distortion_at_every_rate() -> None:
    rates = draw_rates(np.random.default_rng(0), 4, 0.0032)
    x_hat, shown = (torch.rand(4, 3, 8, 8).requires_grad_() for _ in range(2))
    result_error = (rates.share * rates.lmbda * shown.square().mean((1, 2, 3))).sum()
    result_error.backward()
    seen = weigh_reading(x_hat, rates, 0.0032)
    assert torch.equal(seen, x_hat)
    (0.0032 * seen.square().mean((1, 2, 3))).sum().backward()
    ratio = x_hat.grad.flatten(1).norm(dim=1) / x_hat.detach().flatten(1).norm(dim=1)
    expected = shown.grad.flatten(1).norm(dim=1) / shown.detach().flatten(1).norm(dim=1)
    torch.testing.assert_close(ratio, expected)


def test_a_control_sees_the_crops_and_qualities_of_stage_2(
    foundation: Path, runs: dict[str, Path], tmp_path: Path
) -> None:
    seen: dict[str, list[Progress]] = {"control": [], "tuned": []}
    common = {"pretrain_steps": 0, "whole_range": True, "lmbda_share": 1.0}
    control = replace(settings(foundation, **common), control=True)
    fit(control, tmp_path / "control", seen["control"].append, runs["start"])
    fit(settings(foundation, 1e-9, **common), tmp_path / "tuned", seen["tuned"].append, runs["start"])
    for name in ("mse", "bpp_estimated"):
        both = [[getattr(each, name) for each in seen[which]] for which in ("control", "tuned")]
        assert both[0] == pytest.approx(both[1], rel=2e-3)
