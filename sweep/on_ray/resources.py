"""The CPUs and GPUs of a trial, and which trials fit side by side on a machine or cluster: arithmetic, no Ray.

A trial runs on one node. One that trains on GPUs reserves one CPU beside them, however many GPUs it holds: Ray counts
CPUs and binds nobody to them, and a node's other CPUs are left to trials that train nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sweep.spec.trials import Kind

COMMAND_BYTES = 100_000_000
"""Memory that the process of a trial asks for where its workers hold the CPUs: it must ask for something."""
MEASURING_CPUS = 4
"""CPUs of a trial that trains nothing, or is measured, beside trainings on GPUs, where as many are to spare."""
ROUNDING = 1e-9
"""Difference of two shares of a GPU that counts as none."""


@dataclass(frozen=True)
class Node:
    """A machine as Ray sees it."""

    cpus: float
    """Its CPUs."""
    gpus: float = 0.0
    """Its GPUs."""


@dataclass(frozen=True)
class Slot:
    """CPUs and GPUs of a trial."""

    cpus: float
    """CPUs of the trial, of all its workers together."""
    gpus: float = 0.0
    """GPUs of the trial, of all its workers together."""
    workers: int = 1
    """Processes that share each training step."""

    @property
    def bundles(self) -> list[dict[str, float]]:
        """Ray's resources of the trial's process, then of each of its workers where there are several."""
        if self.workers == 1:
            return [{"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus else {})]
        if self.gpus:
            return [{"CPU": self.cpus}, *([{"GPU": self.gpus / self.workers}] * self.workers)]
        return [{"memory": COMMAND_BYTES}, *([{"CPU": self.cpus / self.workers}] * self.workers)]


@dataclass(frozen=True)
class Slots:
    """The slot of each kind of trial in a sweep."""

    pretrain: Slot
    """Stage 1."""
    finetune: Slot
    """Stage 2 and controls."""
    other: Slot
    """A trial that trains nothing: CPUs alone."""

    def of(self, kind: Kind) -> Slot:
        """Return the slot of a trial of this kind."""
        match kind:
            case Kind.PRETRAIN:
                return self.pretrain
            case Kind.FINETUNE | Kind.CONTROL:
                return self.finetune
            case _:
                return self.other


@dataclass(frozen=True)
class Placement:
    """The machine or cluster of a sweep, and the CPUs and GPUs of a trial."""

    address: str = ""
    """A Ray cluster's address, or "" for this machine alone."""
    gpus_per_trial: float | None = None
    """GPUs that a trial which trains holds; None for one if there are any."""
    workers_per_trial: int | None = None
    """Processes that share each training step; None for one per whole GPU of a trial."""
    concurrent: int | None = None
    """Trials side by side, on GPUs those that train; None for as many as fit. On a cluster that grows: as it may."""
    pretrain_gpus: float | None = None
    """GPUs that a trial of stage 1 holds; None for as many as any other that trains."""

    def __post_init__(self) -> None:
        if self.concurrent is not None and self.concurrent < 1:
            raise ValueError(f"--concurrent is {self.concurrent}; it must be 1 or more")

    @property
    def growing(self) -> bool:
        """True if machines may join, so that a trial may ask for more than there is now."""
        return self.concurrent is not None and bool(self.address)


HERE = Placement()
"""The whole of this machine."""


def divide(nodes: Sequence[Node], placement: Placement = HERE, threads: int = 0) -> Slots:
    """Return the slots of a sweep's trials.

    Args:
        nodes: The machines.
        placement: What is asked for.
        threads: CPU threads of a process that trains without a GPU; 0 counts as one.

    Raises:
        ValueError: when a trial asks for more than one machine has, for less than none, or for GPUs that it would leave
            idle.
    """
    most_gpus = max((node.gpus for node in nodes), default=0.0)
    wanted = min(1.0, most_gpus) if placement.gpus_per_trial is None else placement.gpus_per_trial
    limit = float("inf") if placement.growing else most_gpus
    _check_gpus("--gpus-per-trial", wanted, limit, most_gpus)
    workers = max(1, int(wanted)) if placement.workers_per_trial is None else placement.workers_per_trial
    if workers < 1:
        raise ValueError(f"--workers-per-trial is {workers}; it must be 1 or more")
    if wanted and workers != max(1, int(wanted)):
        raise ValueError(
            f"--workers-per-trial is {workers} with {wanted:g} GPUs a trial; a worker takes one whole GPU, "
            f"and a share of one has one worker: give {max(1, int(wanted))}, or other --gpus-per-trial"
        )
    most_cpus = max((node.cpus for node in nodes), default=0.0)
    finetune = Slot(1.0, wanted, workers) if wanted else _without_gpus(most_cpus, threads, workers)
    pretrain, first = finetune, placement.pretrain_gpus
    if first is not None:
        _check_gpus("--pretrain-gpus", first, limit, most_gpus)
        pretrain = Slot(1.0, first, max(1, int(first))) if first else _without_gpus(most_cpus, threads, 1)
    if not (pretrain.gpus or finetune.gpus):
        return Slots(pretrain, finetune, Slot(finetune.cpus))
    spare = max((node.cpus - _reserved(node, (pretrain, finetune)) for node in nodes), default=0.0)
    return Slots(pretrain, finetune, Slot(max(1.0, min(spare, float(max(MEASURING_CPUS, threads))))))


def _check_gpus(flag: str, wanted: float, limit: float, most: float) -> None:
    """Raise ValueError unless a trial may hold so many GPUs."""
    if not 0 <= wanted <= limit:
        raise ValueError(
            f"{flag} is {wanted:g}; a trial runs on one machine, and Ray sees none with more than {most:g} GPUs: "
            f"ask for 0 to {most:g}"
        )
    if wanted > 1 and wanted != int(wanted):
        raise ValueError(f"{flag} is {wanted:g}; above 1 it must be a whole number")


def _without_gpus(most_cpus: float, threads: int, workers: int) -> Slot:
    """The slot of a training without a GPU on a machine with so many CPUs; 0 where there is none yet."""
    cpus = min(most_cpus, float(max(1, threads) * workers)) if most_cpus else float(workers)
    if workers > cpus:
        raise ValueError(
            f"--workers-per-trial is {workers}; a trial runs on one machine, and Ray sees none with more than "
            f"{most_cpus:g} CPUs: ask for 1 to {int(most_cpus)}"
        )
    return Slot(cpus, 0.0, workers)


def count(nodes: Iterable[Node], slot: Slot) -> int:
    """Return how many trials with this slot fit side by side on nodes that hold nothing else."""
    return sum(_count_on(node, slot) for node in nodes)


def _count_on(node: Node, slot: Slot) -> int:
    by_cpus = int(node.cpus / slot.cpus + ROUNDING)
    if not slot.gpus:
        return by_cpus
    # shares of one GPU come from one GPU: of two GPUs 0.4 each fits four times, not five
    by_gpus = int(1 / slot.gpus + ROUNDING) * int(node.gpus) if slot.gpus < 1 else int(node.gpus // slot.gpus)
    return min(by_cpus, by_gpus)


def _reserved(node: Node, training: Iterable[Slot]) -> float:
    """CPUs of a node that trials on its GPUs need."""
    return max((_count_on(node, slot) * slot.cpus for slot in training if slot.gpus), default=0.0)


def fits(nodes: Sequence[Node], held: Iterable[Slot], more: Slot, reserve: Iterable[Slot] = ()) -> bool:
    """Return True if a trial with the slot `more` fits beside those that hold the slots `held`.

    Args:
        nodes: The machines. The largest slots are placed first, each on the machine with the fewest GPUs that has room.
        held: Slots in use.
        more: The slot that is asked for.
        reserve: Slots with GPUs for which CPUs are kept free, if `more` has no GPU.
    """
    rooms = [_Room(node) for node in sorted(nodes, key=lambda each: (each.gpus, each.cpus))]
    for slot in sorted(held, key=lambda each: (each.gpus, each.cpus), reverse=True):
        any(room.take(slot) for room in rooms)  # one on a machine that is gone takes no room
    if not more.gpus:
        for room in rooms:
            room.keep(_reserved(room.node, reserve))
    return any(room.take(more) for room in rooms)


class _Room:
    """What is free on a node.

    Args:
        node: The node, with nothing in use.
    """

    def __init__(self, node: Node) -> None:
        self.node, self._cpus, self._on_gpus = node, node.cpus, 0.0
        self._gpus = [1.0] * int(node.gpus)

    def take(self, slot: Slot) -> bool:
        """Return True and take a slot's CPUs and GPUs, if there is room for them."""
        if slot.cpus > self._cpus + ROUNDING:
            return False
        if slot.gpus >= 1:
            free = [i for i, share in enumerate(self._gpus) if share == 1.0][: int(slot.gpus)]
            if len(free) < slot.gpus:
                return False
            for i in free:
                self._gpus[i] = 0.0
        elif slot.gpus:
            free = [i for i, share in enumerate(self._gpus) if share + ROUNDING >= slot.gpus][:1]
            if not free:
                return False
            self._gpus[free[0]] -= slot.gpus
        self._cpus -= slot.cpus
        self._on_gpus += slot.cpus if slot.gpus else 0.0
        return True

    def keep(self, cpus: float) -> None:
        """Keep so many CPUs for trials on GPUs, those that they hold included."""
        self._cpus -= max(0.0, cpus - self._on_gpus)
