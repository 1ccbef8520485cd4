"""Controls, averaged weights in stage 1 and weighted distortion: what stage 2 is compared with, and its relatives."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_train import StoppedError, config, ignore, same, stop_at, weights

from tfic.training.train import Progress, fit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(config(), tmp_path_factory.mktemp("pretrain"), ignore)


def test_a_control_is_stage_1_on_the_steps_and_crops_of_stage_2(pretrained: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    tuned: list[Progress] = []
    settings = replace(config(finetune_steps=4), control=True)
    path = fit(settings, tmp_path / "control", seen.append, pretrained)
    assert [(p.stage, p.step, p.steps, p.global_step) for p in seen] == [("control", s, 4, 6 + s) for s in range(1, 5)]
    for progress in seen:
        assert progress.loss == pytest.approx(0.01 * 255**2 * progress.mse + progress.bpp_estimated, rel=1e-5)
        assert math.isnan(progress.ocr)
    assert not same(weights(path), weights(pretrained))

    fit(config(1e-9, finetune_steps=4, lmbda_share=1.0), tmp_path / "tuned", tuned.append, pretrained)
    assert [p.mse for p in seen] == pytest.approx([p.mse for p in tuned], rel=1e-3), "all but the reading is the same"

    made = fit(settings, tmp_path / "made", ignore)
    assert same(weights(made), weights(path)), "without a start stage 1 comes first"
    assert same(weights(tmp_path / "made" / "pretrain" / "codec.safetensors"), weights(pretrained))
    assert fit(replace(settings, train=replace(settings.train, reading="features")), made.parent, ignore) == made
    with pytest.raises(ValueError, match="trained with other settings"):
        fit(replace(settings, train=replace(settings.train, finetune_steps=5)), made.parent, ignore)
    for wrong in (replace(settings, lmbda=0.02), config(1.0)):
        with pytest.raises(ValueError, match=r"is a control of a tic-tiny .* starts from a tic-tiny of stage 1"):
            fit(wrong, tmp_path / f"wrong{wrong.gamma:g}", ignore, made)
    with pytest.raises(ValueError, match="gamma is 1 for a control"):
        replace(settings, gamma=1.0)


def test_stage_1_may_end_with_the_mean_of_its_last_weights(tmp_path: Path) -> None:
    states: list[dict[str, torch.Tensor]] = []

    def keep(path: Path) -> None:
        states.append(torch.load(path, weights_only=True)["codec"])

    fit(config(checkpoint_every=1), tmp_path / "plain", ignore, on_checkpoint=keep)
    averaged = weights(fit(config(pretrain_average=0.5), tmp_path / "averaged", ignore))
    last = weights(tmp_path / "plain" / "codec.safetensors")
    name = next(name for name in last if name.endswith("weight"))
    expected = (states[3][name] + states[4][name] + last[name]) / 3
    torch.testing.assert_close(averaged[name], expected)
    with pytest.raises(StoppedError):
        fit(config(pretrain_average=0.5), tmp_path / "stopped", stop_at(5, "pretrain"))
    assert same(weights(fit(config(pretrain_average=0.5), tmp_path / "stopped", ignore)), averaged)


def test_distortion_on_text_and_elsewhere_has_weights_of_its_own(pretrained: Path, tmp_path: Path) -> None:
    def first_loss(text: float, rest: float) -> float:
        seen: list[Progress] = []
        settings = config(1.0, lmbda_share=1.0, text_distortion=text, rest_distortion=rest, finetune_steps=1)
        fit(settings, tmp_path / f"{text}-{rest}", seen.append, pretrained)
        return seen[0].loss

    none, text, rest, both = first_loss(0, 0), first_loss(1, 0), first_loss(0, 1), first_loss(1, 1)
    assert text > none
    assert rest > none
    assert both - none == pytest.approx(text - none + rest - none, rel=1e-4)
