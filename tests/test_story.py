"""The whole tale, tiny: sweep, look again, report, and every number traced back to the bytes."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_docs import runs_table, settings_of_a_run
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from analysis import pareto, report
from sweep import run as sweep_run
from tfic.checkpoints import checkpoint
from tfic.data import test_pages as pages_to_test_on
from tfic.recipes import recipe

pytestmark = pytest.mark.slow
METRICS = (
    "bpp", "bpp_payload", "psnr_db", "accuracy", "accuracy_lines", "cer", "ms_ssim",
    "encode_ms", "decode_ms", "read_ms",
)  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder in which `python -m sweep.run --recipe tiny` has run."""
    folder = tmp_path_factory.mktemp("story")
    command = [sys.executable, "-m", "sweep.run", "--recipe", "tiny"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "pretrain" in ran.stdout
    assert "finetune" in ran.stdout
    assert "mlflow ui" in ran.stdout
    return folder


@pytest.fixture
def folder(swept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, as the one that commands run in."""
    monkeypatch.chdir(swept)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return swept


def run(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints, run in this process."""
    capsys.readouterr()
    assert main([*arguments]) == 0
    return capsys.readouterr().out


def finished(folder: Path) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    return list(client.search_runs([experiment.experiment_id]))


def test_each_trial_is_one_finished_run_under_the_fixed_names(folder: Path) -> None:
    runs = finished(folder)
    assert {each.info.status for each in runs} == {"FINISHED"}
    keys = [each.data.tags["trial_key"] for each in runs]
    assert len(set(keys)) == len(keys)
    assert {each.data.tags["kind"] for each in runs} == {"pretrain", "finetune", "classical", "uncompressed"}
    for each in runs:
        assert each.data.tags["sweep"] == "tiny"
        kind = each.data.tags["kind"]
        missing = set(METRICS) - each.data.metrics.keys()
        assert missing == ({"psnr_db"} if kind == "uncompressed" else set())
        assert ("bpp_estimated" in each.data.metrics) == (kind in ("pretrain", "finetune"))
        assert "codec" in each.data.params
        assert ("lmbda" in each.data.params) == (kind in ("pretrain", "finetune"))


def test_a_run_holds_what_the_document_says_of_its_kind_and_nothing_else(folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")

    def held(run: Run) -> dict[str, set[str]]:
        paths = [each.path for each in client.list_artifacts(run.info.run_id)]
        inside = [each.path for path in paths for each in client.list_artifacts(run.info.run_id, path)]
        files = {re.sub(r"pictures/.+png", "pictures/NAME.png", path) for path in [*paths, *inside]}
        return {
            "tag": {name for name in run.data.tags if not name.startswith("mlflow.")},
            "parameter": set(run.data.params),
            "metric": set(run.data.metrics),
            "artifact": files - {"pictures", "checkpoint"},
        }

    for run in finished(folder):
        for head, names in held(run).items():
            listed = runs_table(head) | (settings_of_a_run() if head == "parameter" else {})
            always = {name for name, kinds in listed.items() if run.data.tags["kind"] in kinds}
            sometimes = {name for name, kinds in listed.items() if not kinds}
            assert always <= names <= always | sometimes, f"{head}s of a {run.data.tags['kind']}"


def test_a_run_s_bpp_is_that_of_the_files_its_checkpoint_writes_today(folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    pages = pages_to_test_on(recipe("tiny").data)
    for each in finished(folder):
        if each.data.tags["kind"] not in ("pretrain", "finetune"):
            continue
        codec = checkpoint.load(Path(client.download_artifacts(each.info.run_id, "checkpoint/codec.safetensors")))
        sizes = [len(codec.encode(page.image)) for page in pages]
        with Path(client.download_artifacts(each.info.run_id, "rows.csv")).open() as file:
            rows = list(csv.DictReader(file))
        assert [int(row["file_bytes"]) for row in rows] == sizes
        pixels = [page.image.shape[0] * page.image.shape[1] for page in pages]
        bpp = sum(8 * size / count for size, count in zip(sizes, pixels, strict=True)) / len(sizes)
        assert each.data.metrics["bpp"] == pytest.approx(bpp)


def test_the_same_command_again_finds_everything_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {each.info.run_id for each in finished(folder)}
    assert "nothing to run" in run(sweep_run.main, capsys, "--recipe", "tiny")
    assert {each.info.run_id for each in finished(folder)} == before
    assert "0 to run" in run(sweep_run.main, capsys, "--recipe", "tiny", "--plan")


def test_the_front_and_the_report_hold_every_point(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = json.loads(run(pareto.main, capsys, "--json"))["points"]
    runs = finished(folder)
    assert len(points) == len(runs)
    assert {"kind", "codec", "lmbda", "gamma", "bpp", "accuracy", "on_front"} <= points[0].keys()
    assert any(point["on_front"] for point in points)
    run(report.main, capsys)
    html = (folder / "report.html").read_text(encoding="utf-8")
    for each in runs:
        assert each.data.tags["trial_key"] in html
    without_scripts = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r'(?:src|href)="https?://', without_scripts)
    assert len(re.findall(r">(?:confirmed|refuted|not testable here)</td>", html)) == 6
