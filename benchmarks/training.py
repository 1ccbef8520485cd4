"""What a training step costs, ours beside the same network in a plain loop, on a GPU or on one thread of a CPU.

    python benchmarks/training.py                        # a GPU if there is one
    python benchmarks/training.py --codec lite --batch 4 --rounds 9

Plain is a network of plain layers (`plain_tic.py`; lite's are plain) in the loop that one writes first: crops are cut
when they are needed and travel as they come, each term is read in each step, Adam and the average as torch has them.
Both start from the same weights and take the same crops; they run in turn, so that ratios hold on a noisy machine.
Without stochastic depth the losses of their first steps must agree within rounding, or it fails. Times are wall times
on a GPU and CPU times on a CPU; what a CPU cannot show is said to be so.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from plain_tic import plain_tic
from timing import table
from torch import nn
from torch.optim.swa_utils import AveragedModel

from tfic.codec import build
from tfic.codec.exact import one_thread
from tfic.config import PRECISIONS, Config
from tfic.data import train_pages
from tfic.pages.lines import Page
from tfic.recipes import recipe
from tfic.system.devices import Device
from tfic.system.precision import matrix_products
from tfic.training import losses, stages
from tfic.training.crops import draw_crops
from tfic.training.plans import generator
from tfic.training.steps import Steps, learning_rate

GIB = 2**30
UNKNOWN = "not measured: no GPU"
CHECKED = 3
"""First steps whose mean losses are compared: those after the first show that the gradients agree as well."""


@dataclass
class Side:
    """One of the two loops."""

    step: Callable[[int], object]
    """Takes a step of that number."""
    ms: list[float]
    """Time of a step, of each round."""
    host_ms: list[float]
    """Time after which the host is free again, of each round."""
    peak_bytes: int = 0
    """Most GPU memory during a step beyond what lies there between steps."""


class PlainLoop:
    """A network, its optimiser and its average in a loop without any care."""

    def __init__(self, codec: nn.Module, config: Config, pages: Sequence[Page], device: torch.device) -> None:
        self._codec, self._config, self._pages, self._device = codec.to(device).train(), config, pages, device
        self._optimiser = torch.optim.Adam(codec.parameters(), lr=config.train.learning_rate)
        self._average = AveragedModel(self._codec)

    def step(self, step: int) -> float:
        """Take a step and return its loss."""
        config, train = self._config, self._config.train
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(train.learning_rate, step, train.pretrain_steps)
        rng, noise = generator(config, "pretrain", step)
        crops = draw_crops(self._pages, rng, train.batch, train.crop_height_px, train.crop_width_px, on_text=False)
        x = crops.cut().float().to(self._device) / 255
        torch.manual_seed(noise)
        result = self._codec(x, straight_through=False)
        terms = {"bpp": losses.rate(result.bits(), x), "distortion": losses.distortion(x, result.x_hat)}
        loss = terms["bpp"] + config.lmbda * terms["distortion"]
        self._optimiser.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self._codec.parameters(), train.clip_norm))
        values = {name: float(each.detach()) for name, each in terms.items()}
        assert np.isfinite([norm, *values.values()]).all(), (norm, values)
        self._optimiser.step()
        self._average.update_parameters(self._codec)
        return float(loss.detach())


def plain_twin(name: str, ours: nn.Module) -> nn.Module:
    """The same network of plain layers, with weights of its own that are equal."""
    if not name.startswith("tic-"):
        return copy.deepcopy(ours)
    plain = plain_tic(name.removeprefix("tic-"))
    plain.load_state_dict(ours.state_dict())
    return plain


def timed(side: Side, first: int, steps: int, device: torch.device) -> None:
    """Take so many steps, and note the times of one and the memory."""
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    between = torch.cuda.memory_allocated(device) if on_gpu else 0
    if on_gpu:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    started = clock()
    for step in range(first, first + steps):
        side.step(step)
    host = clock() - started
    if on_gpu:
        torch.cuda.synchronize(device)
        side.peak_bytes = max(side.peak_bytes, torch.cuda.max_memory_allocated(device) - between)
    side.ms.append(1000 * (clock() - started) / steps)
    side.host_ms.append(1000 * host / steps)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="", help="a GPU if there is one")
    parser.add_argument("--codec", default="", help="codec: tic-tiny to tic-base, lite (tic-base; tic-tiny on a CPU)")
    parser.add_argument("--batch", type=int, default=0, help="pages of 256 x 256 pixels in a step (12; 2 on a CPU)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which medians are taken (5)")
    parser.add_argument("--steps", type=int, default=0, help="steps in a round (20; 1 on a CPU)")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="number format of ours (float32)")
    parser.add_argument("--compiled", action="store_true", help="compile our transforms, on a GPU")
    args = parser.parse_args()
    device = Device(args.device).here()
    on_gpu = device.type == "cuda"
    name, batch = args.codec or ("tic-base" if on_gpu else "tic-tiny"), args.batch or (12 if on_gpu else 2)
    count = args.steps or (20 if on_gpu else 1)
    config = recipe("tiny")
    train = replace(config.train, batch=batch, pretrain_steps=100_000, pretrain_average=1.0, precision=args.precision)
    config = replace(config, codec=name, lmbda=0.003, train=train)
    pages = train_pages(config.data)
    torch.manual_seed(0)
    with one_thread(), matrix_products(args.precision, device):
        ours = build(name)
        plain = PlainLoop(plain_twin(name, ours), config, pages, device)
        loop = Steps(stages.pretrain(config, pages), ours.to(device), train.clip_norm, compiled=args.compiled)
        wanted = statistics.mean(plain.step(step) for step in range(CHECKED))
        for step in range(CHECKED):
            loop.take(step)
        found = loop.means()["loss"]
        if name in ("tic-tiny", "tic-small", "lite") and args.precision == "float32":
            assert np.isclose(found, wanted, rtol=1e-3), (found, wanted)
        sides = {"plain": Side(plain.step, [], []), "ours": Side(loop.take, [], [])}
        for number in range(args.rounds + 1):
            for side in sides.values():
                timed(side, CHECKED + number * count, count, device)
    rows = []
    ms = {side: statistics.median(each.ms[1:]) for side, each in sides.items()}  # the first round warms up
    for side, each in sides.items():
        host = f"{statistics.median(each.host_ms[1:]):.1f}" if on_gpu else UNKNOWN
        peak = f"{each.peak_bytes / GIB:.2f}" if on_gpu else UNKNOWN
        speed = [f"{ms[side]:.1f}", f"{1000 * batch / ms[side]:.1f}", f"{ms['plain'] / ms[side]:.2f}"]
        rows.append([side, *speed, host, peak])
    card = torch.cuda.get_device_name(device) if on_gpu else "CPU, one thread"
    print(f"{card}, {name}, {batch} pages of 256 x 256, {args.precision}: first losses {wanted:.6g} and {found:.6g}")
    print(table(["loop", "ms a step", "images/s", "as fast as plain", "host ms", "GiB within a step"], rows))


if __name__ == "__main__":
    main()
