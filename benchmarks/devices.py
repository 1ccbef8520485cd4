"""Training throughput and coding time on this machine's device, and what DistributedDataParallel costs at one process.

    python benchmarks/devices.py --codecs lite tic-base --batch 16

On a GPU the training step is measured in float32, in bf16, and in bf16 compiled; on a CPU the same, to see that it
runs. The slides of TFIC state 12.9 ms for encoding an image and 24.1 ms for reading it, on hardware they do not name;
reading here is the line reader on the device, four lines of 320 x 48 pixels, without the detector.
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.distributed
from timing import table
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tfic.codec import build
from tfic.ocr.ppocr import HEIGHT_PX, LineReader
from tfic.synth import draw
from tfic.training.losses import distortion, rate


def milliseconds(run: Callable[[], object], rounds: int, device: str) -> float:
    """Mean wall time of a call once it is warm."""
    for _ in range(3):
        run()
    _wait(device)
    started = time.perf_counter()
    for _ in range(rounds):
        run()
    _wait(device)
    return 1000 * (time.perf_counter() - started) / rounds


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def training_step(network: nn.Module, x: torch.Tensor, device: str, bf16: bool) -> Callable[[], None]:
    """Forward, loss, backward, Adam."""
    optimiser = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], lr=1e-5)

    def run() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            result = network(x)
        (rate(result.bits(), x) + 0.01 * distortion(x, result.x_hat.float())).backward()
        optimiser.step()

    return run


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codecs", nargs="+", default=["lite", "tic-small", "tic-base"], help="codecs to measure")
    parser.add_argument("--batch", type=int, default=16, help="images of 256x256 in a training step (16)")
    parser.add_argument("--rounds", type=int, default=20, help="calls of which the mean is taken (20)")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"torch {torch.__version__}, {name}\n")
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group(
            "nccl" if device == "cuda" else "gloo", init_method=f"file://{folder}/group", rank=0, world_size=1
        )
        print(_training(args, device), flush=True)
        torch.distributed.destroy_process_group()
    print("\n" + _coding(args, device))


def _training(args: argparse.Namespace, device: str) -> str:
    pages = np.stack([draw(0, "train", i).image for i in range(args.batch)])
    x = torch.from_numpy(pages).permute(0, 3, 1, 2).to(device).float() / 255
    x = x.contiguous(memory_format=torch.channels_last)
    rows = []
    for codec in args.codecs:
        network = build(codec).to(device).train()
        variants = {
            "float32": (network, False),
            "bf16": (network, True),
            "DDP, bf16": (DistributedDataParallel(network), True),
        }
        if not args.no_compile:
            variants["compiled, bf16"] = (torch.compile(network), True)
        cells = []
        for each, bf16 in variants.values():
            ms = milliseconds(training_step(each, x, device, bf16), args.rounds, device)
            cells.append(f"{1000 * args.batch / ms:.1f}")
        rows.append([codec, *cells])
    return table(["training, images/s", *variants], rows)


@torch.no_grad()
def _coding(args: argparse.Namespace, device: str) -> str:
    page = torch.from_numpy(np.array(draw(0, "test", 0).image)).permute(2, 0, 1).float() / 255
    rows = []
    for name in args.codecs:
        codec = build(name).to(device).eval()
        codec.update()
        data = codec.encode(page)
        runs = (functools.partial(codec.encode, page), functools.partial(codec.decode, data))
        rows.append([name, *(f"{milliseconds(run, args.rounds, device):.1f}" for run in runs)])
    reader = LineReader().to(device)
    lines = torch.rand(4, 3, HEIGHT_PX, 320, device=device)
    rows.append([f"reading, {len(lines)} lines", f"{milliseconds(lambda: reader(lines), args.rounds, device):.1f}", ""])
    return table(["256x256", "encode ms", "decode ms"], rows)


if __name__ == "__main__":
    main()
