"""Machine tasks: a frozen model, a loss and a metric each; a second one stands in the same frame as reading."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweep import options
from sweep.spec.presets import from_tables, preset
from sweep.spec.trials import Kind
from tfic.codec import build
from tfic.config import Config, TrainConfig
from tfic.ocr.rectify import as_batch
from tfic.pages.lines import Page
from tfic.recipes import recipe
from tfic.synth import draw
from tfic.training import plans, stages
from tfic.training.tasks import Detection, build_tasks, map_divergence
from tfic.training.train import fit

PAGES = [draw(0, "train", i) for i in range(2)]
X = torch.cat([as_batch(page.image) for page in PAGES])


def config(tasks: str = "detection", **train: Any) -> Config:
    tiny = recipe("tiny")
    return replace(tiny, gamma=2.0, train=replace(tiny.train, tasks=tasks, finetune_batch=2, **train))


def plan(pages: Sequence[Page] = PAGES) -> plans.Plan:
    return plans.reading_planner(config(), pages, [], on_host=True)(0)


@pytest.fixture(scope="module")
def task() -> Detection:
    return Detection("float32")


@torch.no_grad()
def test_the_original_costs_nothing_and_noise_the_more_the_stronger_it_is(task: Detection) -> None:
    torch.manual_seed(0)
    noise = torch.randn_like(X)
    costs = [float(task.loss(X + strength * noise, X, plan())) for strength in (0.0, 0.05, 0.3)]
    assert costs[0] == pytest.approx(0, abs=1e-7)
    assert 0 < 2 * costs[1] < costs[2]


def test_a_step_against_the_gradient_lowers_it_and_nothing_reaches_the_original(task: Detection) -> None:
    torch.manual_seed(0)
    x, x_hat = X.clone().requires_grad_(), (X + 0.2 * torch.randn_like(X)).clamp(0, 1).requires_grad_()
    before = task.loss(x_hat, x, plan())
    before.backward()
    assert x.grad is None
    assert x_hat.grad is not None
    with torch.no_grad():
        assert task.loss(x_hat - 0.01 * x_hat.grad.sign(), x, plan()) < before


def test_the_divergence_is_that_of_the_map_of_the_original() -> None:
    found, wanted = torch.randn(2, 1, 4, 5).double(), torch.randn(2, 1, 4, 5).double()
    q, p = (torch.stack([each.sigmoid(), 1 - each.sigmoid()]) for each in (found, wanted))
    assert float(map_divergence(found, wanted)) == pytest.approx(float((p * (p / q).log()).sum(0).mean()))
    assert map_divergence(torch.full((1, 1, 1, 1), 99.0), torch.full((1, 1, 1, 1), -99.0)).isfinite()


def test_a_sum_of_tasks_is_the_weighted_sum_of_their_losses_in_one_step() -> None:
    def ocr(tasks: str) -> float:
        torch.manual_seed(0)
        codec = build("lite").train()
        terms = {name: term.detach() for name, term in stages.finetune(config(tasks), PAGES).loss(codec, 0).items()}
        assert float(terms["loss"]) == pytest.approx(float(terms["bpp_estimated"] + 2 * terms["ocr"]))
        return float(terms["ocr"])

    assert ocr("reading+0.5*detection") == pytest.approx(ocr("reading") + 0.5 * ocr("detection"), rel=1e-5)


def test_detection_trains_a_codec_on_pages_without_a_line_or_a_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wordless = [Page(page.name, page.image, ()) for page in PAGES]
    for module in ("train", "teachable"):
        monkeypatch.setattr(f"tfic.training.{module}.train_pages", lambda data: wordless)
    settings = config(pretrain_steps=1, finetune_steps=3, log_every=1, crop_height_px=64, crop_width_px=64)
    told: list[float] = []
    fit(settings, tmp_path / "detection", lambda progress: told.append(progress.ocr))
    assert len(told) == 4
    assert all(cost > 0 for cost in told[1:])
    with pytest.raises(ValueError, match="the training images teach no reading, which stage 2 is for"):
        fit(replace(settings, train=replace(settings.train, tasks="detection+reading")), tmp_path / "both", print)


def test_a_task_has_its_place_in_the_keys_and_the_default_in_none() -> None:
    flags = ["--recipe", "tiny", "--tasks", "reading", "detection", "reading=1,detection=0.5"]
    plain, sweep = options.parse(flags[:2], "").sweep, options.parse(flags, "").sweep
    tunings = [trial for trial in sweep.grid() if trial.kind is Kind.FINETUNE]
    assert [trial.config.train.tasks for trial in tunings] == ["reading", "detection", "reading+0.5*detection"]
    assert [trial.decides.get("train.tasks") for trial in tunings] == [None, "detection", "reading+0.5*detection"]
    assert tunings[1].title.endswith("for detection")
    assert {trial.config.eval.tasks for trial in sweep.grid()} == {"detection"}, "every codec is measured in every task"
    assert "tasks" not in plain.reference().decides["eval"]
    assert sweep.reference().decides["eval"] == plain.reference().decides["eval"] | {"tasks": "detection"}
    assert tunings[0].weights == plain.finetune(0.003, 1.0).weights, "measured again, and not trained"
    assert len({trial.weights for trial in tunings}) == 3


def test_a_search_trades_off_the_metric_of_its_first_task_and_its_target_may_bound_it() -> None:
    sweep = from_tables({"space": {"tasks": ["detection"]}, "limits": {"target": "detection_f1>=0.9"}}, "", "tiny")
    assert sweep.family[0].metric == "detection_f1"
    assert sweep.target is not None
    assert sweep.target.holds({"detection_f1": 0.95, "bpp": 1.0})
    low = replace(sweep, limits=replace(sweep.limits, target="bpp<=0.3"))
    assert low.target is not None
    assert low.target.objective == "detection_f1"
    reading = replace(preset("tiny"), limits=sweep.limits)
    with pytest.raises(ValueError, match=r"target detection_f1>=0.9: detection is not measured; add --tasks detection"):
        _ = reading.target


def test_tasks_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match=r"tasks is 'sorting'; 'sorting' is none of reading, detection"):
        TrainConfig(tasks="sorting")
    with pytest.raises(ValueError, match=r"tasks is 'detection\+detection'; detection is in it twice"):
        from_tables({"space": {"tasks": ["detection+detection"]}}, "", "tiny")


def test_every_task_that_has_a_name_can_be_trained_for() -> None:
    kinds = [type(task).__name__ for task, _ in build_tasks(TrainConfig(tasks="reading+2*detection"))]
    assert kinds == ["Reading", "Detection"]
    assert np.isclose([weight for _, weight in build_tasks(TrainConfig(tasks="3*detection"))], 3).all()
