"""Fixtures that several tests share, and the rule that none of them depends on luck."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from needed import needed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from sweep.store.tracking import Tracker


LIMIT_S = 30.0
"""Most CPU time in seconds of a test that is not marked `slow`, with the shared fixtures that it is the first to use.

Generous, since the same work takes more CPU time on a busy machine than on a quiet one.
"""
BEGAN = pytest.StashKey[float]()
"""CPU time used before a test's first fixture."""


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended: a busy machine changes it less than a clock's."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def pytest_configure() -> None:
    """Properties are tried on the same examples each time and without a clock; look further by asking for it:
    `pytest --hypothesis-profile=default`.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:  # of several processes that run tests each computes on one thread
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    settings.load_profile("ci")
    # a shell that starts the tests in the background makes them, and the commands they start, deaf to Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that processes that share the files end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note what was used before the test."""
    item.stash[BEGAN] = cpu_seconds()


@pytest.fixture(autouse=True)
def _only_slow_tests_take_long(request: pytest.FixtureRequest) -> Iterator[None]:
    """`make check` leaves out what is marked `slow`; what is not marked must not become slow unnoticed."""
    yield
    spent = cpu_seconds() - request.node.stash[BEGAN]
    if spent > LIMIT_S and not any(map(request.node.get_closest_marker, ("slow", "stress"))):
        pytest.fail(f"took {spent:.0f} s of CPU time, more than {LIMIT_S:.0f}; make it faster or mark it `slow`")


@pytest.fixture(autouse=True)
def _the_same_chance_whatever_ran_before() -> None:
    """A test that draws from torch draws the same alone, among all, and in any order."""
    if torch := sys.modules.get("torch"):  # tests of `analysis` do without it
        torch.manual_seed(0)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Debian's chromium."""
    chromium = shutil.which("chromium")
    needed(chromium, "a browser is no Python package; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Makes a database in which MLflow has laid out its tables, and returns its URI.

    Each is a copy of one: MLflow takes seconds to lay out a new database.
    """
    from mlflow import MlflowClient

    first = tmp_path_factory.mktemp("laid-out") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{first}").search_experiments()

    def make(file: Path) -> str:
        with contextlib.closing(sqlite3.connect(first)) as source, contextlib.closing(sqlite3.connect(file)) as copy:
            source.backup(copy)
        return f"sqlite:///{file}"

    return make


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> str:
    """URI of a store with two sweeps, `older` (3 points) and then `demo` (19 points), and an empty one, `planned`."""
    from made_store import log_sweep, points
    from mlflow import MlflowClient

    folder: Path = tmp_path_factory.mktemp("store")
    uri = laid_out(folder / "mlflow.db")
    client = MlflowClient(tracking_uri=uri)
    log_sweep(client, "older", [each for each in points() if each.kind == "pretrain"], folder, minute=0)
    log_sweep(client, "demo", points(), folder, minute=10)
    client.create_experiment("planned")
    return uri


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> str:
    """URI of a store without sweeps, for tests that write; each takes a sweep name of its own."""
    return laid_out(tmp_path_factory.mktemp("empty") / "mlflow.db")


@pytest.fixture
def tracker(empty_store: str, request: pytest.FixtureRequest) -> "Tracker":
    """A sweep without runs, called like the test."""
    from sweep.store.tracking import Tracker

    return Tracker(empty_store, request.node.name.partition("[")[0])


@pytest.fixture(scope="session")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of `tfic train` with lambda and gamma, stage 1 measured by `tfic evaluate`."""
    from made_runs import config

    from tfic.checkpoints import checkpoint
    from tfic.measuring.in_processes import measure
    from tfic.training.train import fit

    folder = tmp_path_factory.mktemp("elsewhere") / "job-7"
    fit(config(gamma=1.0), folder, lambda progress: None)
    measure(checkpoint.load(folder / "pretrain" / "codec.safetensors"), config(), folder / "pretrain" / "measured")
    return folder


@pytest.fixture
def measured(two_stages: Path, tmp_path: Path) -> Path:
    """A copy of a measured run directory of stage 1."""
    return Path(shutil.copytree(two_stages / "pretrain", tmp_path / "runs" / "a"))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of this machine at which nobody answers, for as long as the test takes."""
    with socket.socket() as bound:  # and not listening: a port that was let go again may become another program's
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
