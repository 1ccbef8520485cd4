"""The end of the command: its report is written whenever there are results, and its exit code says what went wrong."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from made_store import log_sweep, points
from made_sweeps import run_all
from mlflow.tracking import MlflowClient

from sweep.options import parse
from sweep.run import conclude, main
from sweep.search.search import Search
from sweep.spec.trials import Kind
from sweep.store.tracking import Tracker


@pytest.mark.slow
@pytest.mark.parametrize(("lost", "written"), [((), True), ((Kind.FINETUNE,), True), (tuple(Kind), False)])
def test_the_report_is_written_whenever_there_are_results(
    lost: tuple[Kind, ...], written: bool, tmp_path: Path, laid_out: Callable[[Path], str]
) -> None:
    uri, file = laid_out(tmp_path / "mlflow.db"), tmp_path / "report.html"
    log_sweep(MlflowClient(uri), "demo", points(), tmp_path, minute=0)
    options = parse(["--recipe", "tiny", "--name", "demo", "--tracking-uri", uri, "--report", str(file)], None)
    search = Search(options.sweep)
    run_all(search, lambda trial: trial.kind not in lost)
    assert conclude(search, Tracker(uri, "demo"), options) == (1 if lost else 0)
    assert file.is_file() == written


def test_a_store_that_is_away_while_it_is_read_is_no_bad_input(
    tmp_path: Path, laid_out: Callable[[Path], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uri = laid_out(tmp_path / "mlflow.db")
    (tmp_path / "sweep.toml").write_text('recipe = "tiny"\nname = "away"\n[limits]\nstore_retry_s = 0\n')
    Tracker(uri, "away")  # which lays out the tables, so that the lock meets the reading
    lock = sqlite3.connect(tmp_path / "mlflow.db")
    lock.execute("BEGIN EXCLUSIVE")
    try:
        assert main(["--config", "sweep.toml", "--tracking-uri", uri]) == 1
    finally:
        lock.close()
    error = capsys.readouterr().err
    assert error.startswith("error: tracking store sqlite:///")
    assert "once it is back, the same command goes on" in error
    assert error.count("\n") == 1
