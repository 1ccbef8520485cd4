"""What a trial holds, from the machines that there are and what is asked for; which trials fit side by side."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from sweep.on_ray.capacity import Capacity
from sweep.on_ray.driver import check_shares
from sweep.on_ray.resources import Node, Placement, Slot, Slots, count, divide, fits
from sweep.spec.trials import Kind
from tfic.recipes import recipe


def asked(gpus: float | None = None, workers: int | None = None, **more: Any) -> Placement:
    return Placement(gpus_per_trial=gpus, workers_per_trial=workers, **more)


@pytest.mark.parametrize(
    ("node", "gpus", "threads", "slot", "slots"),
    [
        (Node(2), None, 1, Slot(1), 2),
        (Node(2), None, 0, Slot(1), 2),
        (Node(8), None, 4, Slot(4), 2),
        (Node(2), None, 16, Slot(2), 1),
        (Node(16, 4), None, 0, Slot(1, 1), 4),
        (Node(16, 4), 0.25, 0, Slot(1, 0.25), 16),
        (Node(4, 4), 0.25, 0, Slot(1, 0.25), 4),
        (Node(16, 1), 0.1, 0, Slot(1, 0.1), 10),
        (Node(16, 2), 0.4, 0, Slot(1, 0.4), 4),
        (Node(16, 4), 0.0, 8, Slot(8), 2),
        (Node(2, 8), 1.0, 0, Slot(1, 1), 2),
        (Node(64, 8), 2.0, 0, Slot(1, 2, 2), 4),
        (Node(64, 8), 3.0, 0, Slot(1, 3, 3), 2),
        (Node(4, 8), 8.0, 0, Slot(1, 8, 8), 1),
    ],
)
def test_slots_of_one_machine(node: Node, gpus: float | None, threads: int, slot: Slot, slots: int) -> None:
    assert divide([node], asked(gpus), threads).finetune == slot
    assert count([node], slot) == slots


EIGHT = Node(8, 8)


@pytest.mark.parametrize(
    ("nodes", "gpus", "slots"),
    [
        ([Node(32), EIGHT, EIGHT], 1.0, 16),  # sums gave three CPUs a trial, of which two fit on a machine
        ([Node(32), EIGHT, EIGHT], 4.0, 4),
        ([Node(0), Node(4, 1), Node(4, 1), Node(4, 1)], 1.0, 3),
        ([Node(96, 8), Node(4, 1), Node(64)], 1.0, 9),
        ([Node(96, 8), Node(4, 1), Node(64)], 2.0, 4),  # the ninth GPU is alone on its machine
        ([Node(16, 6), Node(16, 6)], 4.0, 2),  # of twelve GPUs, each machine has two left over
        ([Node(2, 8), Node(64)], 1.0, 2),  # a GPU without a CPU beside it is no slot
        ([Node(8, 3), Node(8, 1)], 0.4, 8),
        ([], 1.0, 0),
    ],
)
def test_slots_are_counted_on_each_machine(nodes: Sequence[Node], gpus: float, slots: int) -> None:
    slot = divide(nodes, asked(gpus, address="auto", concurrent=1)).finetune
    assert slot.cpus == 1, "one CPU is reserved for a trial on GPUs"
    assert count(nodes, slot) == slots
    assert fits(nodes, [slot] * (slots - 1), slot) == (slots > 0)
    assert not fits(nodes, [slot] * slots, slot)


def test_trials_without_gpus_leave_a_cpu_for_each_training_that_the_gpus_have_room_for() -> None:
    nodes = [Node(9), EIGHT, Node(10, 2)]
    slots = divide(nodes, asked(1.0))
    assert slots.other == Slot(4)
    training = (slots.pretrain, slots.finetune)
    room = 0
    while fits(nodes, [slots.other] * room, slots.other, training):
        room += 1
    assert room == 2 + 0 + 2
    assert fits(nodes, [slots.other] * room, slots.other), "there are CPUs, but they are kept"


def test_of_two_sizes_the_large_one_needs_whole_gpus_of_one_machine() -> None:
    nodes = [EIGHT, EIGHT]
    slots = divide(nodes, asked(1.0, pretrain_gpus=4.0))
    assert slots == Slots(Slot(1, 4, 4), Slot(1, 1), Slot(1))
    assert fits(nodes, [slots.pretrain] * 3 + [slots.finetune] * 4, slots.pretrain) is False
    assert fits(nodes, [slots.pretrain] * 3 + [slots.finetune] * 3, slots.finetune)
    assert [slots.of(kind) for kind in (Kind.PRETRAIN, Kind.FINETUNE, Kind.CONTROL, Kind.CLASSICAL)] == [
        slots.pretrain, slots.finetune, slots.finetune, slots.other,
    ]  # fmt: skip


def test_the_workers_of_a_trial_are_bundles_of_their_own_beside_its_process() -> None:
    assert Slot(2).bundles == [{"CPU": 2}]
    assert Slot(1, 0.5).bundles == [{"CPU": 1, "GPU": 0.5}]
    assert Slot(1, 2, 2).bundles == [{"CPU": 1}, {"GPU": 1}, {"GPU": 1}]
    process, *workers = Slot(4, 0, 2).bundles
    assert (list(process), workers) == (["memory"], [{"CPU": 2}, {"CPU": 2}])


@pytest.mark.parametrize(
    ("gpus", "placement", "words"),
    [
        (0, asked(1.0), "--gpus-per-trial is 1; a trial runs on one machine, and Ray sees none with more than 0 GPUs"),
        (4, asked(8.0), "with more than 4 GPUs: ask for 0 to 4"),
        (1, asked(-1.0), "--gpus-per-trial is -1"),
        (1, asked(float("nan")), "--gpus-per-trial is nan"),
        (8, asked(2.5), "--gpus-per-trial is 2.5; above 1 it must be a whole number"),
        (8, asked(1.0, pretrain_gpus=9.0), "--pretrain-gpus is 9; .* ask for 0 to 8"),
        (8, asked(4.0, 2), "give 4, or other --gpus-per-trial"),
        (8, asked(0.5, 2), "a share of one has one worker"),
        (0, asked(workers=0), "--workers-per-trial is 0"),
        (0, asked(workers=8), "Ray sees none with more than 4 CPUs: ask for 1 to 4"),
    ],
)
def test_what_no_machine_has_is_refused(gpus: float, placement: Placement, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        divide([Node(4, gpus), Node(4)], placement)


def test_workers_share_the_cpus_of_a_trial() -> None:
    assert divide([Node(4)], asked(workers=2), 1).finetune == Slot(2, 0, 2)
    assert divide([Node(4)], asked(workers=2), 2).finetune == Slot(4, 0, 2)


def test_on_a_cluster_that_grows_a_trial_may_ask_for_what_is_not_there_yet() -> None:
    growing = asked(1.0, address="auto", concurrent=8)
    assert divide([Node(0)], growing).finetune == Slot(1, 1)
    with pytest.raises(ValueError, match="--gpus-per-trial is"):
        divide([Node(0)], asked(1.0))


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6, 8, 12])
def test_a_batch_of_12_is_shared_by_the_gpus_of_any_machine(workers: int) -> None:
    slot = Slot(1, workers, workers)
    for name in ("base", "paper"):
        check_shares(recipe(name).train, Slots(slot, slot, Slot(1)))


def test_more_workers_than_images_are_refused_with_what_was_asked() -> None:
    train = recipe("base").train
    wide, narrow = Slot(1, 16, 16), Slot(1, 8, 8)
    with pytest.raises(ValueError, match=r"^batch is 12, and there are 16 workers of a trial of stage 1 on 16 GPUs"):
        check_shares(train, Slots(wide, narrow, Slot(1)))
    words = "^finetune_batch is 12, and .* stage 2 on 16 GPUs, .* ask for 12 workers"
    with pytest.raises(ValueError, match=words):
        check_shares(train, Slots(narrow, wide, Slot(1)))


def test_there_is_room_for_as_many_trials_as_fit_now_or_were_asked_for() -> None:
    nodes = [Node(8, 2)]
    slots = divide(nodes, asked(0.5))
    here, many = Capacity(slots, None, lambda: nodes), Capacity(slots, 7, lambda: nodes)
    assert (here(), many()) == (4, 7)
    training, other = [slots.pretrain] * 4, slots.other
    assert here.room(slots.finetune, training[:3])
    assert not here.room(slots.finetune, training)
    assert here.room(other, training), "CPUs that no training needs are for trials that train nothing"
    assert not here.room(other, training + [other] * 4)
    assert many.room(slots.finetune, training)
    assert not many.waits(slots.finetune, training[:3])
    assert many.waits(slots.finetune, training), "it may start, and there is no machine for it yet"


def test_a_measurement_takes_no_training_s_place_among_those_that_were_asked_for() -> None:
    """--gpus-per-trial 1 --concurrent 8: eight GPUs train, whatever is measured on the CPUs beside them."""
    nodes = [Node(12, 8)]
    slots = divide(nodes, asked(1.0, concurrent=8))
    assert slots.other == Slot(4)
    eight = Capacity(slots, 8, lambda: nodes)
    measuring, training = [slots.other], [slots.finetune] * 8
    assert eight.room(slots.finetune, measuring + training[:7])
    assert not eight.room(slots.finetune, training), "eight were asked for"
    assert eight.room(slots.other, training), "and leave four CPUs"
    assert not eight.room(slots.other, measuring), "which are all that no training needs"
    assert not Capacity(slots, 1, lambda: [Node(64, 8)]).room(slots.other, measuring)


def test_without_gpus_all_trials_count_among_those_that_were_asked_for() -> None:
    slots = divide([Node(8)], asked(address="auto", concurrent=2))
    two = Capacity(slots, 2, lambda: [])
    assert two.room(slots.other, [slots.finetune])
    assert not two.room(slots.finetune, [slots.finetune, slots.other])


def test_what_no_machine_has_room_for_is_asked_for_once() -> None:
    """So that a cluster grows: its autoscaler starts a machine for what waits."""
    slots = Slots(Slot(1, 4, 4), Slot(1, 1), Slot(1))
    none = Capacity(slots, None, lambda: [Node(2)])
    assert none() == 1
    assert none.room(slots.pretrain, [slots.other])
    assert none.waits(slots.pretrain, [])
    assert not none.room(slots.pretrain, [slots.pretrain])


def test_nodes_are_read_again_every_few_seconds() -> None:
    nodes, now = [EIGHT], [0.0]
    capacity = Capacity(divide(nodes, asked(1.0)), None, lambda: nodes, lambda: now[0])
    assert capacity() == 8
    nodes.append(EIGHT)
    assert capacity() == 8
    now[0] = 5.0
    assert capacity() == 16


def test_at_least_one_trial_runs_at_a_time() -> None:
    with pytest.raises(ValueError, match="--concurrent is 0; it must be 1 or more"):
        Placement(concurrent=0)


def test_ray_is_of_the_minor_version_that_the_sweep_was_tested_with() -> None:
    declared = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    (pin,) = set(re.findall(r'"ray\[[\w,]+\]([^"]+)"', declared))
    least = re.match(r">=(\d+)\.(\d+)", pin)
    assert least
    major, minor = map(int, least.groups())
    assert pin == f">={major}.{minor},<{major}.{minor + 1}", (
        f"pyproject.toml lets in more than one minor version: {pin}"
    )
    assert version("ray").startswith(f"{major}.{minor}."), (
        f"Ray {version('ray')} is installed, but pyproject.toml pins ray {pin}: run tests/test_workers.py, "
        "test_nodes.py and test_placement.py with the new version, then move the pin"
    )
