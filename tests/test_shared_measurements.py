"""What depends on no lambda and no gamma is measured once in a store, whichever sweep asks."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from sweep.store.tracking import Tracker
from sweep.trial.run import run_trial
from tfic.config import DataConfig, EvalConfig


def small(seed: int) -> Sweep:
    """A sweep over images that no other test measures."""
    space = Space((0.003,), (), classical=Qualities((10,), (), ()))
    data = DataConfig(train_count=4, test_count=2, seed=seed)
    return replace(preset("tiny"), space=space, data=data, eval=EvalConfig(256, heldout=False, pictures=1))


def run(trial: Trial, tracker: Tracker, folder: Path) -> tuple[dict[str, float], list[str], str]:
    """Its metrics, the stages that it reported and its run's id."""
    stages: list[str] = []
    run_id = tracker.start(trial)
    metrics = run_trial(trial, tracker, run_id, folder, lambda event: stages.append(event["stage"]))
    return metrics, stages, run_id


def test_a_second_sweep_takes_the_first_one_s_result(empty_store: str, tmp_path: Path) -> None:
    (jpeg,) = small(seed=71).anchors()
    first, second = (Tracker(empty_store, f"shared-{name}") for name in ("first", "second"))
    measured, stages, _ = run(jpeg, first, tmp_path / "a")
    assert stages == ["measure"]
    taken, stages, run_id = run(jpeg, second, tmp_path / "b")
    assert stages == []
    assert taken | {"seconds": 0.0} == pytest.approx(measured | {"seconds": 0.0})
    found = second._client.get_run(run_id)
    assert found.data.tags["shared_from"] == "shared-first"
    assert {name: found.data.metrics[name] for name in ("bpp", "accuracy")} == {
        name: pytest.approx(measured[name]) for name in ("bpp", "accuracy")
    }
    (tmp_path / "rows").mkdir()
    rows = [
        Path(tracker._client.download_artifacts(id, "rows.csv", str(tmp_path / "rows"))).read_text()
        for tracker, id in ((first, first.start(jpeg)), (second, run_id))
    ]
    assert rows[0] == rows[1]
    assert sorted(each.path for each in second._client.list_artifacts(run_id)) == [
        "comparison.png",
        "pictures",
        "rows.csv",
    ]


def test_other_images_unfinished_trials_and_lost_files_are_not_shared(empty_store: str, tmp_path: Path) -> None:
    (jpeg,), (other,) = small(seed=72).anchors(), small(seed=73).anchors()
    first, second = (Tracker(empty_store, f"lost-{name}") for name in ("first", "second"))
    run_id = first.start(jpeg)
    assert second.measured_elsewhere(jpeg.key, tmp_path / "a") is None, "not finished"
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "rows.csv").write_text("rows")
    first.finish(run_id, {"bpp": 0.5}, tmp_path / "files")
    shared = second.measured_elsewhere(jpeg.key, tmp_path / "b")
    assert shared is not None
    assert (shared.metrics["bpp"], shared.tags["shared_from"]) == (0.5, "lost-first")
    assert (tmp_path / "b" / "rows.csv").read_text() == "rows"
    assert second.measured_elsewhere(other.key, tmp_path / "c") is None
    assert first.measured_elsewhere(jpeg.key, tmp_path / "d") is None, "its own"
    folder = Path(first._client.get_run(run_id).info.artifact_uri.removeprefix("file://"))
    (folder / "rows.csv").unlink()
    assert second.measured_elsewhere(jpeg.key, tmp_path / "e") is None
