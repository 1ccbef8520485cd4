"""How busy does the stage tree keep 64 GPUs? Virtual time, nothing trains; the engine says what is next.

    python benchmarks/scheduling.py          two minutes

The machine is eight nodes of eight GPUs. `Search` says which trial is next, `Capacity` whether there is room for it.

A sweep of 12 lambdas x 24 gammas. A training lasts its recipe's steps times the seconds a step of one trial of the
dense sweep (`surface.py`), drawn anew for each trial, so that lengths spread as measured ones did. It gives its GPUs
back then, and CPUs beside measure what it trained; what starts from it waits for that. The designs:

    tree        a fine-tuning may start as soon as its own pre-training is measured; one GPU a trial
    tree, 4+1   stage 1 on four GPUs of a node, stage 2 on one (`--gpus-per-trial 1 --pretrain-gpus 4`); so 2+1, 8+1
    tree, 4+4   both on four (`--gpus-per-trial 4`)
    stages      all pre-trainings, then all fine-tunings
    batches     and these in batches as large as the machine, each waiting for the last of the one before
    product     288 trials, each with a stage 1 of its own

Utilisation is GPU-seconds in use over GPU-seconds of the machine: to the end; and up to the tail, which begins when the
last training is started and nothing is left to fill a free GPU with. The third figure counts only GPUs for which there
was work up to the tail: in use, or idle beside a trial that could have run. One GPU a trial leaves 52 of 64 without
work until stage 1 ends. That each further GPU adds 0.9 of the first one's speed is an assumption, and so is that four
processes measure four times as fast as one.
"""

import heapq
import statistics
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from surface import Surface
from timing import table

from sweep.on_ray.capacity import Capacity
from sweep.on_ray.resources import MEASURING_CPUS, Node, Placement, divide
from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial

NODES = (Node(cpus=64, gpus=8),) * 8
GPUS = 64
SEEDS = 10
EFFICIENCY = 0.9
METRICS = {"bpp": 0.2, "accuracy": 0.9, "psnr_db": 28.0}


@dataclass(frozen=True)
class Job:
    """Work that holds GPUs for a while, or CPUs alone."""

    key: str
    gpus: int
    seconds: float
    parent: str = ""
    measures: bool = False


@dataclass
class Usage:
    """GPU-seconds of a simulated run."""

    end_s: float = 0.0
    busy: float = 0.0
    tail_s: float = 0.0
    """When the last job on GPUs was started."""
    busy_to_tail: float = 0.0
    wanted_to_tail: float = 0.0
    """GPU-seconds for which there was work up to the tail."""

    def cells(self) -> tuple[float, float, float, float]:
        """Hours, and utilisation to the end, up to the tail, and up to it of the GPUs for which there was work."""
        to_tail = GPUS * self.tail_s
        return (
            self.end_s / 3600,
            self.busy / (GPUS * self.end_s),
            self.busy_to_tail / to_tail,
            self.busy_to_tail / self.wanted_to_tail,
        )


class Design(ABC):
    """Hands out jobs that may start now."""

    @abstractmethod
    def next(self) -> Job | None:
        """A job to start, or None until one ends."""

    @abstractmethod
    def waiting(self) -> int:
        """GPUs that jobs which may start now would hold."""

    @abstractmethod
    def ended(self, job: Job) -> None:
        """A job has ended."""


class Lengths:
    """Seconds of trials: the steps of a recipe at measured seconds a step."""

    def __init__(self, sweep: Sweep, surface: Surface, seed: int) -> None:
        self._step_s = surface.step_s
        self._rng = np.random.default_rng(seed)
        self._measure_s = surface.measure_s / 24 * sweep.data.test_count

    def of(self, trial: Trial, gpus: int = 1) -> float:
        """A draw for the training of this trial; 0 for one that trains nothing."""
        step_s = float(self._rng.choice(self._step_s[trial.kind])) if trial.steps else 0.0
        return trial.steps * step_s / (1 + (gpus - 1) * EFFICIENCY if gpus > 1 else 1)

    def measurement(self, key: str, cpus: float) -> Job:
        """The measurement of a trial by so many processes."""
        return Job(key, 0, self._measure_s / cpus, measures=True)


class Tree(Design):
    """The engine's own order."""

    def __init__(self, sweep: Sweep, lengths: Lengths, pretrain_gpus: int = 1, gpus: int = 1) -> None:
        self._search, self._lengths = Search(sweep), lengths
        self._slots = divide(NODES, Placement(gpus_per_trial=gpus, pretrain_gpus=pretrain_gpus))
        self._capacity = Capacity(self._slots, None, lambda: NODES)
        self._trained: list[str] = []
        self._measuring: set[str] = set()

    def next(self) -> Job | None:
        """The measurement of what is trained, or what `Search` says, as `sweep.on_ray.searcher` has it."""
        waiting = {*self._trained, *self._measuring}
        running = [each for each in self._search.trials(Status.RUNNING) if each.key not in waiting]
        held = [self._slots.of(each.kind) for each in running] + [self._slots.other] * len(self._measuring)
        if self._trained and self._capacity.room(self._slots.other, held):
            return self._measured(self._trained.pop(0))
        trial = self._search.ask(lambda kind: self._capacity.room(self._slots.of(kind), held))
        if not isinstance(trial, Trial):
            return None
        if gpus := int(self._slots.of(trial.kind).gpus):
            return Job(trial.key, gpus, self._lengths.of(trial, gpus))
        return self._measured(trial.key)

    def _measured(self, key: str) -> Job:
        self._measuring.add(key)
        return self._lengths.measurement(key, self._slots.other.cpus)

    def waiting(self) -> int:
        """GPUs of the trials whose parent is done."""
        done = self._search.results
        ready = [each for each in self._search.trials(Status.WAITING) if not each.parent or each.parent in done]
        return sum(int(self._slots.of(each.kind).gpus) for each in ready)

    def ended(self, job: Job) -> None:
        """Told to `Search`."""
        if job.measures:
            self._measuring.remove(job.key)
            self._search.tell(job.key, METRICS)
        else:
            self._search.trained(job.key, job.gpus * job.seconds / 3600)
            self._trained.append(job.key)


class Barrier(Design):
    """Groups of jobs, each waiting for the last of the group before; there are CPUs for every measurement."""

    def __init__(self, lengths: Lengths, *groups: list[Job]) -> None:
        self._lengths, self._left, self._running = lengths, [list(group) for group in groups], 0
        self._trained: list[str] = []
        self._ended = {""}

    def next(self) -> Job | None:
        """From the group at hand; the next group once all of it is measured."""
        if self._trained:
            return self._lengths.measurement(self._trained.pop(), MEASURING_CPUS)
        if self._left and not self._left[0] and not self._running:
            self._left.pop(0)
        if not self._left or not self._left[0]:
            return None
        self._running += 1
        return self._left[0].pop()

    def waiting(self) -> int:
        """Jobs of any group whose parent has ended: barriers hold them back, nothing else does."""
        return sum(job.parent in self._ended for group in self._left for job in group)

    def ended(self, job: Job) -> None:
        """One less to wait for, once it is measured."""
        if not job.measures:
            self._trained.append(job.key)
            return
        self._running -= 1
        self._ended.add(job.key)


def simulate(design: Design) -> Usage:
    """Run a design on `GPUS` GPUs in virtual time."""
    usage, now, free, used = Usage(), 0.0, GPUS, 0.0
    wanted = 0.0
    running: list[tuple[float, int, Job]] = []
    held: Job | None = None
    started = 0
    while True:
        while (held := held or design.next()) and held.gpus <= free:
            heapq.heappush(running, (now + held.seconds, started, held))
            started += 1
            free -= held.gpus
            if held.gpus:
                usage.tail_s, usage.busy_to_tail, usage.wanted_to_tail = now, used, wanted
            held = None
        if not running:
            break
        end, _, job = heapq.heappop(running)
        used += (GPUS - free) * (end - now)
        wanted += min(GPUS, GPUS - free + design.waiting() + (held.gpus if held else 0)) * (end - now)
        now, free = end, free + job.gpus
        design.ended(job)
    usage.end_s, usage.busy = now, used
    return usage


def designs(sweep: Sweep, surface: Surface, seed: int) -> Iterator[tuple[str, Design]]:
    """Each design with lengths of its own draw."""
    lengths = Lengths(sweep, surface, seed)
    trials = [trial for trial in sweep.grid() if trial.steps]
    first = [Job(trial.key, 1, lengths.of(trial)) for trial in trials if trial.kind == "pretrain"]
    second = [Job(trial.key, 1, lengths.of(trial), trial.parent) for trial in trials if trial.kind == "finetune"]
    length = {job.key: job.seconds for job in first}
    apart = [replace(job, seconds=job.seconds + length[job.parent], parent="") for job in second]
    batches = [second[i : i + GPUS] for i in range(0, len(second), GPUS)]
    yield "tree", Tree(sweep, lengths)
    for pretrain_gpus, gpus in ((2, 1), (4, 1), (8, 1), (4, 4)):
        yield f"tree, {pretrain_gpus}+{gpus}", Tree(sweep, lengths, pretrain_gpus, gpus)
    yield "stages", Barrier(lengths, first, second)
    yield "batches", Barrier(lengths, first, *batches)
    yield "product", Barrier(lengths, apart)


def main() -> None:
    """Simulate and print one table a recipe."""
    surface = Surface()
    for recipe in ("base", "paper"):
        lmbdas = tuple(float(f"{0.0005 * 1.4**i:.3g}") for i in range(12))
        gammas = tuple(float(f"{0.01 * 1.4**i:.3g}") for i in range(24))
        space = Space(lmbdas, gammas, classical=Qualities((), (), ()))
        sweep = replace(preset(recipe), name="simulated", space=space)
        found: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(SEEDS):
            for name, design in designs(sweep, surface, seed):
                found.setdefault(name, []).append(simulate(design).cells())
        train = sweep.train
        print(f"\nrecipe {recipe}: {train.pretrain_steps:,} + {train.finetune_steps:,} steps, mean of {SEEDS} draws\n")
        rows = [
            [name, f"{hours:.1f}", *(f"{share:.1%}" for share in shares)]
            for name, runs in found.items()
            for hours, *shares in [[statistics.mean(column) for column in zip(*runs, strict=True)]]
        ]
        print(table(["design", "hours", "in use", "up to the tail", "of those with work"], rows))


if __name__ == "__main__":
    main()
