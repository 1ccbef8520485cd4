"""Several workers train one codec: the batch, the loss and the end are those of one worker."""

import os
import socket
import statistics
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from PIL import Image
from test_train import config, ignore, same, weights
from torch import nn

from tfic.codec.image_codec import Reconstruction
from tfic.config import Config
from tfic.data import train_pages, write_folder
from tfic.synth import draw
from tfic.training import distributed, plans, stages
from tfic.training.intermediate import Keep
from tfic.training.train import Progress, fit
from tfic.training.training_state import STATE_FILE

WORLD = 2
BATCHES = (4, 3)
"""Images in a batch that two workers share equally, and that they do not."""
pytestmark = pytest.mark.slow


class StoppedError(Exception):
    """Ends a training from its report."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(rank: int, port: int) -> dict[str, str]:
    """What torchrun sets."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(WORLD),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _worker(rank: int, port: int, folder: Path) -> None:
    os.environ |= environment(rank, port)
    torch.set_num_threads(1)
    with distributed.join():
        torch.save(everything(folder), folder / f"{rank}.pt")
    os._exit(0)  # as in `train_undisturbed`


def train_undisturbed(rank: int, port: int, settings: Config, folder: Path) -> None:
    """One of two workers of a training in one go."""
    os.environ |= environment(rank, port)
    torch.set_num_threads(1)
    with distributed.join():
        fit(settings, folder, ignore)
    os._exit(0)  # seen once: an interpreter that ends beside gloo's threads aborts (LOG.md, 29 November)


def long(**train: object) -> Config:
    steps = {"pretrain_steps": 2, "finetune_steps": 4}
    return config(gamma=1.0, **{"batch": 4, "finetune_batch": 4, "read_width_px": 600} | steps | train)


class Noiseless(nn.Module):
    """A codec without chance, whose images can be read: what is left is the same on any number of workers."""

    def __init__(self) -> None:
        super().__init__()
        self.g_a, self.g_s = nn.Conv2d(3, 4, 4, 4), nn.ConvTranspose2d(4, 3, 4, 4)

    def forward(self, x: torch.Tensor, straight_through: bool = False) -> Reconstruction:
        y = self.g_a(x)
        return Reconstruction(0.5 + 0.1 * x + self.g_s(y), (torch.exp(-(y**2) - 0.1),))


def gradients(batch: int) -> tuple[list[dict[str, float]], list[dict[str, torch.Tensor]]]:
    """Terms and gradients of two steps of each stage."""
    torch.manual_seed(0)
    codec = Noiseless()
    shared = distributed.wrap(codec)
    settings = long(lmbda_share=0.5, batch=batch, finetune_batch=batch)
    terms, found = [], []
    for make in (stages.pretrain, stages.finetune, stages.control):
        stage = make(settings, train_pages(settings.data))
        for step in range(2):
            codec.zero_grad()
            values = stage.loss(shared, step)
            values["loss"].backward()
            ranks = distributed.gather(torch.stack([each.detach() for each in values.values()]))
            terms.append(dict(zip(values, map(statistics.mean, zip(*ranks, strict=True)), strict=True)))
            found.append({name: p.grad.clone() for name, p in codec.named_parameters() if p.grad is not None})
    return terms, found


@dataclass
class Trained:
    """What one worker saw."""

    seen: list[Progress]
    saved: list[Path]
    path: Path


def train(folder: Path) -> Trained:
    seen: list[Progress] = []
    saved: list[Path] = []
    # other hosts do not see rank 0's folder
    run = folder / "run" if distributed.rank() == 0 else folder / "elsewhere"
    path = fit(long(), run, seen.append, keep=Keep(3), on_checkpoint=saved.append)
    return Trained(seen, saved, path)


def stop(folder: Path) -> str:
    run = folder / "run" if distributed.rank() == 0 else folder / "elsewhere"

    def report(progress: Progress) -> None:
        if (progress.stage, progress.step) == ("finetune", 3):
            raise StoppedError("enough")

    try:
        fit(long(), run, report, keep=Keep(3))
    except (StoppedError, distributed.WorkerFailedError) as error:
        return f"{type(error).__name__}: {error}"
    return "not stopped"


def overflow(folder: Path) -> str:
    try:
        fit(replace(config(batch=2), lmbda=1e38), folder / "run", ignore)
    except FloatingPointError as error:
        return str(error)
    return "finite"


def too_few(folder: Path) -> str:
    try:
        fit(config(batch=1), folder / "run", ignore)
    except ValueError as error:
        return str(error)
    return "enough"


def changed(folder: Path) -> str:
    """The images of worker 1, in a folder of its own, change once training has begun."""
    rank = distributed.rank()
    write_folder([draw(0, "train", index) for index in range(16)], folder / f"images-{rank}")
    settings = long(batch=2, pretrain_steps=40, log_every=3)
    settings = replace(settings, gamma=0.0, data=replace(settings.data, train_dir=str(folder / f"images-{rank}")))

    def report(progress: Progress) -> None:
        for image in (folder / "images-1").glob("*.png"):
            Image.new("RGB", (40, 30)).save(image)

    try:
        fit(settings, folder / "run", report)
    except (ValueError, distributed.WorkerFailedError) as error:
        return f"{type(error).__name__}: {error}"
    return "not seen"


def objects(folder: Path, steps: int) -> int:
    """Collectives of Python objects, which wait for the GPU, in a stage 1 of so many steps with one report."""
    asked: list[str] = []

    def counted(name: str, own: Any, *given: Any, **more: Any) -> Any:
        asked.append(name)
        return own(*given, **more)

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in dir(dist) if "_object" in name]:
            patch.setattr(dist, name, partial(counted, name, getattr(dist, name)))
        fit(config(batch=2, pretrain_steps=steps, log_every=steps, checkpoint_every=steps), folder, ignore)
    return len(asked)


def drawn(folder: Path) -> list[tuple[float, float]]:
    """What chance gives for crops and for noise in three steps, and in the first again."""
    found = []
    for step in (0, 1, 2, 0):
        rng, noise = plans.generator(config(), "pretrain", step)
        torch.manual_seed(noise)
        found.append((float(rng.random()), float(torch.rand(()))))
    return found


@dataclass(frozen=True)
class Found:
    """What one of two workers found."""

    gradients: dict[int, tuple[list[dict[str, float]], list[dict[str, torch.Tensor]]]]
    """By batch."""
    drawn: list[tuple[float, float]]
    objects: list[int]
    wrapping: tuple[bool, bool]
    overflow: str
    too_few: str
    changed: str
    undisturbed: Trained
    stopped: str
    resumed: Trained


def everything(folder: Path) -> Found:
    """All that two workers are asked, in one go: they take seconds to start."""
    shared: Any = distributed.wrap(Noiseless())
    return Found(
        {batch: gradients(batch) for batch in BATCHES},
        drawn(folder),
        [objects(folder / f"objects-{steps}", steps) for steps in (2, 6)],
        (shared.broadcast_buffers, shared.gradient_as_bucket_view),
        overflow(folder / "overflow"),
        too_few(folder / "too-few"),
        changed(folder / "changed"),
        train(folder / "undisturbed"),
        stop(folder / "stopped"),
        train(folder / "stopped"),
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """What two workers found."""
    folder = tmp_path_factory.mktemp("both")
    mp.spawn(_worker, (free_port(), folder), WORLD)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(WORLD)]


@pytest.mark.parametrize("batch", BATCHES)
def test_without_noise_two_workers_find_the_loss_and_the_gradient_of_one(both: list[Found], batch: int) -> None:
    terms, wanted = gradients(batch)
    for found_terms, found in (each.gradients[batch] for each in both):
        for one, two in zip(terms, found_terms, strict=True):
            assert two == pytest.approx(one, rel=1e-4)
        for one, two in zip(wanted, found, strict=True):
            assert one.keys() == two.keys()
            for name in one:
                torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4 * float(one[name].abs().max()))


def test_two_workers_stopped_and_resumed_end_with_the_weights_of_undisturbed_ones(both: list[Found]) -> None:
    first, second = both
    assert [each.global_step for each in first.undisturbed.seen] == list(range(1, 7))
    assert {path.name for path in first.undisturbed.saved} == {STATE_FILE}
    assert (second.undisturbed.seen, second.undisturbed.saved) == ([], []), "rank 0 alone tells"
    assert not second.undisturbed.path.parent.exists(), "and alone writes"

    assert first.stopped == "StoppedError: enough"
    assert second.stopped == "WorkerFailedError: worker 0 of 2 ended the training: StoppedError: enough"
    assert [each.step for each in first.resumed.seen] == [3, 4]
    assert same(weights(first.resumed.path), weights(first.undisturbed.path))
    assert {path.name for path in first.resumed.path.parent.glob("at-*")} == {"at-000003.safetensors"}


def test_a_step_between_reports_asks_for_tensors_alone_and_sends_no_buffer(both: list[Found]) -> None:
    """A collective of Python objects pickles them and waits for the GPU; one around a training is counted."""
    for each in both:
        short, long = each.objects
        assert short == long > 0
        assert each.wrapping == (False, True)


def test_all_workers_end_alike_when_a_loss_is_not_finite_or_a_batch_has_too_few_images(both: list[Found]) -> None:
    first, second = both
    assert (first.overflow, first.too_few) == (second.overflow, second.too_few)
    assert first.overflow.startswith("loss is inf at step 1 of 6 of pretrain")
    assert first.too_few.startswith(
        "batch is 1, and there are 2 workers of this training, each of which needs an image"
    )


def test_images_that_one_worker_cannot_read_any_more_end_all_with_the_sentence(both: list[Found]) -> None:
    first, second = (each.changed for each in both)
    assert second.startswith("ValueError: image ")
    assert second.endswith("was 256 x 256 pixels and has changed; run it again")
    assert first == f"WorkerFailedError: worker 1 of 2 ended the training: {second}"


def test_noise_is_chance_of_seed_stage_step_and_rank_and_crops_are_those_of_one_worker(
    both: list[Found], tmp_path: Path
) -> None:
    alone = drawn(tmp_path)
    first, second = (each.drawn for each in both)
    assert first == alone
    assert [crops for crops, _ in second] == [crops for crops, _ in alone]
    noise = [noise for _, noise in (*first[:3], *second[:3])]
    assert len(set(noise)) == 6
    assert second[3] == second[0]
