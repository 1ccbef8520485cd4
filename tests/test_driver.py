"""The real thing, three times: a trial killed, then the driver; Ctrl-C; and the same command until all is done.

One sweep, with a lambda at which the loss overflows, runs in a folder of its own through its command line.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from made_troubles import QUIET, SMALL, assert_trained_as_alone
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from sweep.on_ray.signals import insistent_ctrl_c

SETTINGS = """
recipe = "tiny"
name = "trouble"
[space]
lmbdas = [0.003, 1e38]
gammas = [1.0]
trials = 1
[space.classical]
jpeg = [10]
webp = []
avif = []
""" + SMALL.format(test_count=2, steps=60, every=2)
STEPS = 60
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Ended:
    """How one run of the command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Story:
    """The three runs of the command, and the store after them."""

    killed: Ended
    broken: Ended
    done: Ended
    written: list[int]
    """The last step in the journal of the pre-training, at each of the three disturbances."""
    folder: Path
    client: MlflowClient
    runs: list[Run]


def sweep_in(folder: Path, disturbances: Mapping[str, Callable[[int], None]], *flags: str) -> Ended:
    """Run the command; each disturbance is called once, with the driver's process id, at a line of its pattern."""
    store = ["--tracking-uri", "sqlite:///mlflow.db"]
    command = [sys.executable, "-m", "sweep.run", "--config", "sweep.toml", *store, *flags]
    left = dict(disturbances)
    lines = []
    with (
        (folder / "errors.txt").open("w+") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | QUIET,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            for pattern in [each for each in left if re.search(each, line)]:
                left.pop(pattern)(process.pid)
        code = process.wait(timeout=300)
        errors.seek(0)
        return Ended(code, "".join(lines), errors.read())


def trials_of(driver: int) -> list[psutil.Process]:
    """The processes of the trials that a driver runs."""
    found = []
    for each in psutil.Process(driver).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # one that ends in this moment
            found += [each] if each.name().startswith("ray::Implicit") else []
    return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> Story:
    folder = tmp_path_factory.mktemp("trouble")
    laid_out(folder / "mlflow.db")
    (folder / "sweep.toml").write_text(SETTINGS)
    written: list[int] = []

    def wait_for_a_checkpoint() -> None:
        """Return when the pre-training has gone on since the last disturbance, and write down how far it is."""
        deadline = time.monotonic() + 300
        while True:
            states = list(folder.glob("runs/trouble/pretrain-l0.003-*/state.pt"))
            steps = [json.loads(line)["step"] for each in states for line in journal_of(each.parent)]
            if steps and steps[-1] > max(written, default=0):
                written.append(steps[-1])
                return
            assert time.monotonic() < deadline, "no checkpoint was written"
            time.sleep(0.02)

    def kill_the_trials(driver: int) -> None:
        """SIGKILL to every trial's process, as the kernel does when memory is short."""
        wait_for_a_checkpoint()
        trials = trials_of(driver)
        assert trials, "no process of a trial to kill"
        for trial in trials:
            trial.kill()

    def kill_the_driver(driver: int) -> None:
        wait_for_a_checkpoint()
        trials = trials_of(driver)
        os.kill(driver, signal.SIGKILL)
        _, left = psutil.wait_procs(trials, timeout=300)
        assert not left, "trials outlive their driver"

    def press_ctrl_c(driver: int) -> None:
        """As a terminal does: to the whole process group."""
        wait_for_a_checkpoint()
        os.killpg(driver, signal.SIGINT)

    killed = sweep_in(
        folder, {"pretrain step 2 of": kill_the_trials, r"pretrain lmbda 0\.003 .*tried again": kill_the_driver}
    )
    one_at_a_time = ("--concurrent", "1")  # each process of trials spends seconds on its start
    broken = sweep_in(folder, {"pretrain step": press_ctrl_c}, *one_at_a_time)
    done = sweep_in(folder, {}, *one_at_a_time)
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("trouble")
    assert experiment is not None
    runs = list(client.search_runs([experiment.experiment_id]))
    return Story(killed, broken, done, written, folder, client, runs)


def journal_of(run: Path) -> list[str]:
    """The whole lines of a training's journal."""
    text = (run / "metrics.jsonl").read_text() if (run / "metrics.jsonl").exists() else ""
    return text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]


def good(story: Story, kind: str) -> list[Run]:
    """Runs of a kind, without those of the lambda that overflows."""
    runs = [run for run in story.runs if run.data.tags["kind"] == kind]
    return [run for run in runs if run.data.params.get("lmbda") != "1e+38"]


class Deaf:
    """Presses Ctrl-C in its destructor, where Python drops what a signal raises."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)  # the handler runs here


def wait_deafly() -> None:
    """Five seconds in which a Ctrl-C is pressed and dropped."""
    Deaf()
    time.sleep(5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_ctrl_c_that_python_drops_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.on_ray.signals.AGAIN_S", 0.2)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), insistent_ctrl_c():
        wait_deafly()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == handlers
    time.sleep(0.3)


def test_a_killed_trial_is_told_with_its_reason_and_tried_again_at_once(story: Story) -> None:
    words = "FAILED: its process died (killed, out of memory, or its machine was lost); tried again, 1 of 2"
    told = [line for line in story.killed.out.splitlines() if words in line]
    assert any("pretrain lmbda 0.003" in line for line in told)
    assert story.killed.code == -signal.SIGKILL


def test_ctrl_c_stops_with_130_and_says_how_to_go_on(story: Story) -> None:
    assert story.broken.code == 130
    assert story.broken.out.splitlines()[-1].endswith("left. The same command goes on.")
    assert story.broken.err == ""


def test_a_loss_that_overflows_fails_its_trial_and_its_finetuning_is_not_run_but_the_others_are(story: Story) -> None:
    assert story.done.code == 1
    pretrain, finetune, summary = story.done.err.splitlines()
    assert pretrain.startswith("failed: pretrain lmbda 1e+38 (pretrain-l1e+38-")
    assert "FloatingPointError: loss is inf at step 1" in pretrain
    assert finetune.startswith("failed: finetune lmbda 1e+38 gamma 1 (finetune-l1e+38-g1-")
    assert "its pre-training failed: FloatingPointError" in finetune
    assert summary == "2 of 7 trials failed; the same command tries them again."


def test_the_same_command_ends_with_one_finished_run_per_key(story: Story) -> None:
    keys = [run.data.tags["trial_key"] for run in story.runs]
    assert len(set(keys)) == len(keys) == 6
    counts = {kind: len(good(story, kind)) for kind in ("uncompressed", "classical", "pretrain", "finetune")}
    assert counts == {"uncompressed": 1, "classical": 1, "pretrain": 1, "finetune": 2}
    for kind in counts:
        assert {run.info.status for run in good(story, kind)} == {"FINISHED"}
        assert not any("failure" in run.data.tags for run in good(story, kind))


def test_a_resumed_training_logs_every_step_once(story: Story) -> None:
    (run,) = good(story, "pretrain")
    for metric in ("train_loss", "train_bpp", "train_mse"):
        steps = [each.step for each in story.client.get_metric_history(run.info.run_id, metric)]
        assert steps == list(range(2, STEPS + 1, 2))


def told(ended: Ended) -> list[int]:
    """The steps of the pre-training that a command told."""
    return [int(line.split(" step ")[1].split()[0]) for line in ended.out.splitlines() if "pretrain step" in line]


def test_at_most_one_interval_between_checkpoints_is_trained_twice(story: Story) -> None:
    trial_killed, driver_killed, interrupted = story.written
    again = [step for step in told(story.killed) if step > 2]
    assert min(again, default=STEPS) >= trial_killed
    assert min(told(story.broken)) >= driver_killed
    assert min(told(story.done)) >= interrupted
    assert max(told(story.done)) == STEPS


def test_the_codec_is_to_the_bit_that_of_a_training_that_nobody_disturbed(story: Story, tmp_path: Path) -> None:
    (run,) = good(story, "pretrain")
    codec = story.client.download_artifacts(run.info.run_id, "checkpoint/codec.safetensors", str(tmp_path))
    assert_trained_as_alone(Path(codec), tmp_path / "alone")


def test_optuna_proposes_beyond_the_grid_and_its_run_says_so(story: Story) -> None:
    (run,) = [run for run in story.runs if run.data.tags.get("proposed") == "true"]
    assert 1 / 3 <= float(run.data.params["gamma"]) <= 3
    assert run.data.params["lmbda"] == "0.003"


def test_the_end_is_the_front_and_where_to_look(story: Story) -> None:
    end = story.done.out.split("No other codec reads more at fewer bits than these:")[1]
    assert "uncompressed" in end
    assert "Report: python -m analysis.report --name trouble --tracking-uri sqlite:///" in end
    assert "MLflow: mlflow ui --backend-store-uri sqlite:///" in end


def test_ray_is_not_heard_unless_it_lost_a_process(story: Story) -> None:
    for noise in ("(raylet)", "WARNING", "INFO", "Traceback", "Trial status"):
        assert noise not in story.done.out + story.done.err
    assert "Traceback" not in story.broken.out


def test_a_sweep_whose_ray_dies_ends_with_a_sentence_instead_of_waiting_for_ever(
    tmp_path: Path, laid_out: Callable[[Path], str]
) -> None:
    laid_out(tmp_path / "mlflow.db")
    (tmp_path / "sweep.toml").write_text(SETTINGS)

    def kill_the_raylet(driver: int) -> None:
        (raylet,) = [each for each in psutil.Process(driver).children(recursive=True) if each.name() == "raylet"]
        raylet.kill()

    ended = sweep_in(tmp_path, {"uncompressed .* starts": kill_the_raylet})
    assert ended.code == 1
    assert "error: Ray's raylet has died (killed, or out of memory); the same command goes on" in ended.err
    assert "Traceback" not in ended.err
