"""A tracking server that goes away: training goes on, and what it missed arrives; one that refuses is said at once."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from made_restarts import Server
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from sweep.spec.limits import Limits
from sweep.spec.presets import preset
from sweep.spec.trials import Trial
from sweep.store.lease import Lease
from sweep.store.retry import Retry, StoreAwayError, StoreRefusedError, away, in_a_sentence
from sweep.store.tracking import Tracker
from sweep.trial.conditions import Conditions
from sweep.trial.run import run_trial

PATIENT = Limits(store_retry_s=120.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, laid_out(folder / "server.db"))
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@dataclass(frozen=True)
class Absence:
    """What training and others saw of a server that was killed at step 3 and started again seconds later."""

    tracker: Tracker
    trial: Trial
    run_id: str
    metrics: Mapping[str, float]
    """What the training returned."""
    told: Sequence[str]
    """What its tracker said."""
    trained: Sequence[int]
    """Its steps."""
    before_return: int
    """Steps that it had made when the server was started again."""
    gone: str
    """The error of a tracker that waits for a second."""
    at_once_s: float
    """How long a tracker took to fail that was told not to wait."""
    late: Sequence[str]
    """What a tracker said that was made before the server answered again."""


@pytest.fixture(scope="module")
def absence(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Absence:
    base, folder = preset("tiny"), tmp_path_factory.mktemp("away")
    steps = {"pretrain_steps": 12, "read_width_px": 300, "klt_start": False, "log_every": 1, "checkpoint_every": 4}
    sweep = replace(
        base,
        data=replace(base.data, train_count=4, test_count=1),
        train=replace(base.train, **steps),
        eval=replace(base.eval, heldout=False, pictures=1),
    )
    told: list[str] = []
    tracker = Tracker(server.uri, "away", PATIENT.store_retry_s, told.append)
    impatient = Tracker(server.uri, "gone", retry_s=1.0)
    trial = sweep.pretrain(0.003)
    run_id = tracker.start(trial)
    trained: list[int] = []
    others: list[Future[tuple[int, str, float, list[str]]]] = []

    def come_back() -> tuple[int, str, float, list[str]]:
        killed = time.monotonic()
        with pytest.raises(StoreAwayError) as gone:
            impatient.start(trial)
        with pytest.raises(StoreAwayError, match="the same command goes on"):
            Lease(impatient).__enter__()
        impatient.stop_waiting()
        began = time.monotonic()
        with pytest.raises(StoreAwayError):
            impatient.stop("0" * 32)
        at_once_s = time.monotonic() - began
        time.sleep(max(0.0, killed + 4 - time.monotonic()))
        before_return = len(trained)
        server.start()
        late: list[str] = []
        assert Tracker(server.uri, "late", 120.0, late.append, known=True).records() == []
        return before_return, str(gone.value), at_once_s, late

    with ThreadPoolExecutor(1) as thread:

        def report(event: dict[str, Any]) -> None:
            if "step" in event:
                trained.append(event["step"])
            if event.get("step") == 3:
                server.kill()
                others.append(thread.submit(come_back))

        metrics = run_trial(trial, tracker, run_id, folder / trial.key, report, Conditions(limits=PATIENT))
    return Absence(tracker, trial, run_id, metrics, told, trained, *others[0].result())


@pytest.mark.slow
def test_training_goes_on_while_the_server_is_away_and_metrics_and_artifacts_arrive_afterwards(
    absence: Absence, tmp_path: Path
) -> None:
    assert absence.trained == list(range(1, 13))
    assert absence.before_return > 3, "training waited for the server"
    for metric in ("train_loss", "train_bpp", "train_mse"):
        assert [step for step, _ in absence.tracker.history(absence.run_id, metric)] == absence.trained
    (record,) = absence.tracker.records()
    assert record.finished
    assert record.metrics["bpp"] == pytest.approx(absence.metrics["bpp"])
    assert absence.tracker.checkpoint(absence.trial.key, tmp_path / "back").read_bytes()
    told = absence.told
    assert len([line for line in told if "is away" in line]) == len([line for line in told if "is back" in line])


@pytest.mark.slow
def test_retrying_ends_with_what_to_do_and_a_trial_that_starts_without_a_server_waits_for_it(absence: Absence) -> None:
    assert re.search(r"has not answered for \d+ s .*the same command goes on", absence.gone)
    assert absence.at_once_s < 3
    assert ["is away" in absence.late[0], "is back" in absence.late[-1]] == [True, True]


def answer(code: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = code
    return requests.HTTPError(response=response)


ERRORS = [
    (MlflowException("API request to http://h failed with exception refused"), True),
    (MlflowException("API request to endpoint /x failed with error code 503 != 200"), True),
    (MlflowException("API request to endpoint /x failed with error code 403 != 200"), False),
    (MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE), True),
    (answer(502), True),
    (answer(403), False),
    (requests.ConnectionError("refused"), True),
    (ValueError("no"), False),
]


@pytest.mark.parametrize(("error", "later"), ERRORS)
def test_what_may_work_later_is_told_from_what_will_not(error: Exception, later: bool) -> None:
    assert away(error) is later


@pytest.mark.parametrize(("error", "later"), ERRORS[:-1])
def test_an_error_of_the_store_is_a_sentence_and_says_whether_it_may_pass(error: Exception, later: bool) -> None:
    words, kind = ("does not answer", StoreAwayError) if later else ("refuses a call", StoreRefusedError)
    with pytest.raises(kind, match=f"^tracking store http://h/ {words} "), in_a_sentence("http://h/"):
        raise error


def test_a_refusal_is_not_waited_for() -> None:
    def refuse() -> None:
        raise MlflowException("no such run", error_code=1)

    began = time.monotonic()
    with pytest.raises(MlflowException, match="no such run"):
        Retry("here", 60)(refuse)
    assert time.monotonic() - began < 1
