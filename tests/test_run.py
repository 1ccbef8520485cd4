"""The command line: settings by precedence, one line and exit code 2 for bad input, a plan that touches nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from refusals import refused

from sweep.options import gpus
from sweep.run import main
from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.presets import from_tables
from sweep.store.tracking import Tracker


@pytest.fixture(autouse=True)
def _in_an_empty_folder_without_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--plan"]) == 0
    return capsys.readouterr().out


def test_no_flags_mean_the_demo_without_a_gpu_and_base_with_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plan(capsys).startswith("Sweep 'demo', recipe 'demo' (no GPU found), tracked in sqlite:///")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert gpus() == 2
    assert plan(capsys).startswith("Sweep 'base', recipe 'base' (2 GPUs found)")


def test_a_plan_names_every_trial_its_start_and_what_sharing_saves_and_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = plan(capsys, "--recipe", "tiny", "--lmbdas", "0.001", "0.003", "--gammas", "0.3,1", "--trials", "2")
    sweep = from_tables({"space": {"lmbdas": [0.001, 0.003], "gammas": [0.3, 1], "trials": 2}}, "", "tiny")
    for trial in sweep.grid():
        assert sum(line.strip().startswith(trial.key) for line in text.splitlines()) == 1
    assert f"6 steps from {sweep.pretrain(0.003).key}" in text
    assert "Then 2 fine-tunings proposed by Optuna, gamma from 0.3 to 1" in text
    assert "12 trials: 0 finished, 12 to run (76 training steps)" in text
    assert "76 training steps instead of 196 (61% saved)" in text
    assert not list(tmp_path.iterdir())


def test_flags_win_over_the_file_and_the_file_over_the_recipe(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "sweep.toml").write_text(
        'recipe = "tiny"\nname = "mine"\n[space]\nlmbdas = [0.01]\ngammas = [2.0]\n[train]\npretrain_steps = 7\n'
    )
    text = plan(capsys, "--config", "sweep.toml", "--lmbdas", "0.02")
    assert text.startswith("Sweep 'mine', recipe 'tiny', tracked")
    assert "pretrain-l0.02-" in text
    assert "finetune-l0.02-g2-" in text
    assert "l0.01" not in text
    assert "  7 steps" in text
    assert plan(capsys, "--config", "sweep.toml", "--recipe", "demo", "--name", "yours").startswith(
        "Sweep 'yours', recipe 'demo', tracked"
    )


def test_a_database_elsewhere_is_used_and_its_artifacts_stay_beside_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    text = plan(capsys, "--recipe", "tiny", "--tracking-uri", "sqlite:///other/mlflow.db")
    assert f"tracked in sqlite:///{tmp_path}/other/mlflow.db" in text


def broken_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", \n')
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lmbdas", "0"], "lmbda is 0.0; it must be a positive number"),
        (["--lmbdas=-1"], "lmbda is -1.0; it must be a positive number"),
        (["--gammas", "0.3,nan"], "gamma is nan; it must be a positive number"),
        (["--lmbdas", "a,b"], "'a,b' is no list of numbers"),
        (["--trials", "-1"], "trials is -1; it must be 0 or more"),
        (["--keep-every", "-5"], "keep_every is -5; it must be 0 or more"),
        (["--every", "-5"], "keep_every is -5; it must be 0 or more"),
        (["--lmbda-shares", "0,2"], "lmbda_share is 2.0; it must be from 0 to 1"),
        (["--floors", "0,2"], "lmbda_share is 2.0; it must be from 0 to 1"),
        (["--warm-start", "0.5"], "warm_start is 0.5; it must be one of the lmbdas"),
        (["--target", "accuracy=0.9"], "must be of the form accuracy>=0.95"),
        (["--target", "acc>=0.9"], "target"),
        (["--gpu-hours", "-1"], "gpu_hours is -1.0; it must be 0 or more"),
        (["--bpp-low", "0.5", "--bpp-high", "0.1"], "low must be below high"),
        (["--retries", "-1"], "retries is -1; it must be 0 or more"),
        (["--recipe", "demmo"], "no recipe 'demmo'; did you mean 'demo'? There are base, demo, "),
        (["--codec", "tic-bse"], "no codec 'tic-bse'; did you mean 'tic-base'? There are "),
        (["--name", "a b"], "name is 'a b'; it must be letters a-z and A-Z, digits, '.', '-' and '_'"),
        (["--name", "größe"], "it must be letters a-z and A-Z, digits, '.', '-' and '_'"),
        (["--name", "_x"], "name is '_x'; it must be letters a-z and A-Z, digits, '.', '-' and '_', beginning with a "),
        (["--lambda", "1"], "unrecognized arguments: --lambda"),
        (["--config", "no.toml"], "no.toml: No such file"),
        (["--test-data", "nowhere"], "nowhere does not exist; give one with images and metadata.jsonl"),
        (["--tracking-uri", "mlruns"], "neither a server"),
        (["--tracking-uri", "http://127.0.0.1:9"], "does not answer"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    refused(main, arguments, words, capsys)
    assert not list(tmp_path.iterdir())


def test_a_broken_line_of_metadata_is_named_with_file_and_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, empty_store: str
) -> None:
    folder = str(broken_folder(tmp_path))
    assert main(["--recipe", "tiny", "--test-data", folder, "--tracking-uri", empty_store]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "metadata.jsonl:1: " in error
    assert not (tmp_path / "runs").exists()


def test_an_unknown_key_in_the_file_is_named_with_the_nearest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "sweep.toml").write_text("[train]\npretrain_step = 1\n")
    assert main(["--config", "sweep.toml"]) == 2
    assert "sweep.toml [train]: unknown key 'pretrain_step'; did you mean 'pretrain_steps'" in capsys.readouterr().err
    (tmp_path / "sweep.toml").write_text("recipe = 3\n")
    assert main(["--config", "sweep.toml"]) == 2
    assert "recipe is 3" in capsys.readouterr().err


@pytest.mark.slow
def test_a_finished_sweep_ends_without_ever_loading_ray_or_torch(tmp_path: Path, empty_store: str) -> None:
    tracker, sweep = Tracker(empty_store, "done"), from_tables({}, "", "tiny")
    files = tmp_path / "files"
    files.mkdir()
    for trial in sweep.grid():
        tracker.finish(tracker.start(trial), {"bpp": 0.5, "accuracy": 0.5, "psnr_db": 20.0}, files)
    assert not Search(sweep, tracker.records()).trials(Status.WAITING)
    for name in ("ray", "torch"):
        (tmp_path / f"{name}.py").write_text(f"raise AssertionError('{name} is loaded for nothing')\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    for flags in ([], ["--plan"]):
        store = ["--tracking-uri", empty_store, "--name", "done"]
        command = [sys.executable, "-m", "sweep.run", "--recipe", "tiny", *store, *flags]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ("All 6 trials are finished; nothing to run." in ended.stdout) == (not flags)
        assert ("6 trials: 6 finished, 0 to run" in ended.stdout) == bool(flags)
        assert ("python -m analysis.report --name done" in ended.stdout) == (not flags)


def test_the_users_own_folder_is_part_of_the_plan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "text": "a"}) + "\n")
    Image.new("RGB", (64, 32), "white").save(folder / "a.png")
    drawn = plan(capsys, "--recipe", "tiny")
    own = plan(capsys, "--recipe", "tiny", "--test-data", "images")
    assert {line for line in drawn.splitlines() if "to run  " in line}.isdisjoint(own.splitlines())
