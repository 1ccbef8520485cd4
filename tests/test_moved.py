"""A store whose folder was moved says so before anything runs, and is told the new place by a command."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sweep import relocate
from sweep.spec.presets import preset
from sweep.store.moved import find_moved
from sweep.store.tracking import Tracker


@pytest.fixture
def moved(laid_out: Callable[[Path], str], tmp_path: Path) -> Path:
    """The database of a project with one finished run, in a folder that has another name since."""
    before = tmp_path / "before it moved"
    before.mkdir()
    file = before / "mlflow.db"
    tracker = Tracker(laid_out(file), "demo")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "rows.csv").write_text("rows")
    tracker.finish(tracker.start(preset("tiny").reference()), {"bpp": 1.0}, tmp_path / "files")
    assert find_moved(file) is None
    before.rename(tmp_path / "after")
    return tmp_path / "after" / "mlflow.db"


def test_a_moved_store_is_refused_with_its_repair_and_works_again_after_it(
    moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=rf"python -m sweep.relocate {moved}` writes the new place down"):
        Tracker(f"sqlite:///{moved}", "demo")
    assert not (tmp_path / "before it moved").exists()
    assert relocate.main([str(moved)]) == 0
    assert f"2 entries now name {moved.parent / 'mlartifacts'}" in capsys.readouterr().out
    (record,) = Tracker(f"sqlite:///{moved}", "demo").records()
    client = MlflowClient(tracking_uri=f"sqlite:///{moved}")
    assert Path(client.download_artifacts(record.run_id, "rows.csv", str(tmp_path))).read_text() == "rows"
    assert relocate.main([str(moved)]) == 0
    assert "nothing to change" in capsys.readouterr().out


def test_what_is_no_store_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert relocate.main([str(tmp_path / "none.db")]) == 2
    assert "no such file; give the database" in capsys.readouterr().err
