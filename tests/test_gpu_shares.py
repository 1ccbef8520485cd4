"""Trials in a cluster of Ray's with pretended GPUs: what each sees of them, and that two share one."""

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import ray
from made_troubles import QUIET
from ray import tune

from sweep.on_ray.driver import _trainable, resources
from sweep.on_ray.resources import Node, Placement, Slot, count, divide
from sweep.spec.trials import Kind
from sweep.trial.conditions import ALONE

NODE = Node(16, 4)
SLOTS = divide([NODE], Placement(gpus_per_trial=0.25, pretrain_gpus=2.0))
KINDS = (Kind.FINETUNE, Kind.FINETUNE, Kind.PRETRAIN, Kind.CLASSICAL)
ALL = ["100", "101", "102", "103"]
"""Ids that no machine's GPUs have."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Ray leaves sockets open
]


@dataclass(frozen=True)
class Shown:
    """Stands for a trial: when its slot asks for its key, it says what GPUs the slot sees, once all others run too."""

    kind: Kind
    folder: Path
    number: int

    @property
    def key(self) -> str:
        (self.folder / str(self.number)).touch()
        deadline = time.monotonic() + 120
        while len(list(self.folder.iterdir())) < len(KINDS) and time.monotonic() < deadline:
            time.sleep(0.1)
        raise ValueError(f"{self.kind} sees '{os.environ['CUDA_VISIBLE_DEVICES']}'")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> list[tuple[str, list[str]]]:
    """Kind and visible GPUs of trials that run side by side."""
    folder = tmp_path_factory.mktemp("shares")
    uri = laid_out(folder / "mlflow.db")
    (folder / "there").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("CUDA_VISIBLE_DEVICES", ",".join(ALL))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)]))
        ray.init(
            address="local",
            num_cpus=int(NODE.cpus),
            num_gpus=int(NODE.gpus),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        try:
            trials: list[Any] = [Shown(kind, folder / "there", number) for number, kind in enumerate(KINDS)]
            results = tune.Tuner(
                tune.with_resources(
                    _trainable(uri, "shares", folder / "runs", SLOTS, ALONE),
                    lambda config: resources(SLOTS.of(config["trial"].kind)),
                ),
                param_space={"trial": tune.grid_search(trials), "run_id": "", "measures": False},
                run_config=tune.RunConfig(name="shares", storage_path=str(folder / "tune"), verbose=0),
            ).fit()
        finally:
            ray.shutdown()
    told = [(results[i].metrics or {})["reason"] for i in range(len(results))]
    reasons = [re.fullmatch(r"ValueError: (\w+) sees '([\d,]*)'", each) for each in told]
    return [(each[1], [gpu for gpu in each[2].split(",") if gpu]) for each in reasons if each]


def of(kind: Kind, seen: list[tuple[str, list[str]]]) -> list[list[str]]:
    return [gpus for each, gpus in seen if each == kind]


def test_two_trials_of_a_quarter_share_a_gpu_and_see_no_other(seen: list[tuple[str, list[str]]]) -> None:
    assert SLOTS.finetune == Slot(1, 0.25)
    assert count([NODE], SLOTS.finetune) == 16
    one, two = of(Kind.FINETUNE, seen)
    assert one == two
    assert len(one) == 1
    assert one[0] in ALL


def test_a_trial_that_holds_none_sees_none_nor_does_the_process_beside_two_workers(
    seen: list[tuple[str, list[str]]],
) -> None:
    """Ray hides none from either."""
    assert Counter(kind for kind, _ in seen) == Counter(map(str, KINDS))
    assert of(Kind.CLASSICAL, seen) == [[]]
    assert SLOTS.pretrain == Slot(1, 2, 2)
    assert of(Kind.PRETRAIN, seen) == [[]]
