"""How fast `tic-base` is against a plain float32 implementation of the same network, and what a training step holds.

    python benchmarks/transforms.py --rounds 5

The plain network is a textbook's (`plain_tic.py`): tokens in (B, L, C), windows cut by copies, masks made anew,
attention written out. `bf16` is ours under autocast, `compiled` ours under torch.compile (which needs a C++ compiler,
and minutes). Memory is that of one step in a fresh process: its peak less what was resident before.
"""

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from plain_tic import plain_tic
from timing import medians_ms, table
from torch import Tensor, nn

from tfic.codec import build
from tfic.synth import draw
from tfic.training.losses import distortion, rate

SIZES = ((256, 256), (250, 190))
"""Heights and widths of the images."""
STEPS = ("plain", "float32", "bf16")
"""Variants of the training step."""


def codec(variant: str) -> nn.Module:
    """`tic-base` or its plain twin, with the same weights."""
    torch.manual_seed(0)
    ours = build("tic-base")
    if variant != "plain":
        return ours
    plain = plain_tic("base")
    plain.load_state_dict(ours.state_dict())
    return plain


def images(variant: str, height: int, width: int, batch: int = 1) -> Tensor:
    """Drawn pages in the memory format that a variant wants."""
    pages = np.stack([draw(0, "test", i, height, width).image for i in range(batch)])
    x = torch.from_numpy(pages).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(memory_format=torch.contiguous_format if variant == "plain" else torch.channels_last)


def autocast(variant: str) -> torch.autocast:
    """bf16 for the variant of that name alone."""
    return torch.autocast("cpu", torch.bfloat16, enabled=variant == "bf16")


def ratios(ms: dict[str, float]) -> list[str]:
    """Cells of a row: times, then how many times as fast as plain."""
    return [*(f"{each:.0f}" for each in ms.values()), *(f"{ms['plain'] / ms[name]:.2f}" for name in list(ms)[1:])]


def transforms(variants: list[str], threads: list[int], rounds: int) -> str:
    """Table of g_a and g_s at each size and number of threads."""
    networks = {name: codec(name).eval() for name in variants}
    if "compiled" in networks:
        networks["compiled"].g_a.compile()
        networks["compiled"].g_s.compile()
    rows = []
    for count in threads:
        torch.set_num_threads(count)
        for height, width in SIZES:
            x = {name: images(name, height, width) for name in variants}
            with torch.no_grad():
                y = networks["float32"].g_a(x["float32"])
                for part, given in (
                    ("g_a", x),
                    ("g_s", {name: y.contiguous() if name == "plain" else y for name in variants}),
                ):
                    twins = [getattr(networks[name], part)(given[name]) for name in ("plain", "float32")]
                    torch.testing.assert_close(*twins, rtol=1e-4, atol=1e-4)

                    def call(name: str, part: str = part, given: dict[str, Tensor] = given) -> Callable[[], object]:
                        return autocast(name)(lambda: getattr(networks[name], part)(given[name]))

                    ms = medians_ms({name: call(name) for name in variants}, rounds)
                    rows.append([f"{part} {width}x{height}", str(count), *ratios(ms)])
    head = ["", "threads", *(f"{name} ms" for name in variants), *(f"plain / {name}" for name in variants[1:])]
    return table(head, rows)


def step(variant: str, side: int, batch: int = 2) -> Callable[[], None]:
    """One training step of a variant: forward, loss, backward, Adam."""
    network, x = codec(variant).train(), images(variant, side, side, batch)
    optimiser = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], lr=1e-5)

    def run() -> None:
        optimiser.zero_grad(set_to_none=True)
        with autocast(variant):
            result = network(x)
        (rate(result.bits(), x) + 0.01 * distortion(x, result.x_hat.float())).backward()
        optimiser.step()

    return run


def memory_mib(variant: str, side: int) -> float:
    """What one step of a variant adds to this process at most."""

    def status(field: str) -> float:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return int(next(each for each in lines if each.startswith(field)).split()[1]) / 1024

    run = step(variant, side)
    before = status("VmRSS")
    run()
    return status("VmHWM") - before  # unlike ru_maxrss, the high-water mark is not inherited from the parent


def bf16_loss() -> str:
    """How far bf16 is from float32 on a drawn page, with a KLT start's weights."""
    from tfic.codec.klt import start_from_klt

    network = build("tic-base").eval()
    start_from_klt(network, images("bf16", 256, 256, 8), 0.004)
    x = images("bf16", 256, 256)
    with torch.no_grad():
        y = network.g_a(x)
        y_hat = y.round()
        x_hat = network.g_s(y_hat)
        with autocast("bf16"):
            y_rough, x_rough = network.g_a(x).float(), network.g_s(y_hat).float()
    psnr = -10 * torch.log10((x_hat - x_rough).square().mean())
    differ = (y_rough.round() != y_hat).float().mean()
    return f"bf16 against float32: g_s of the same y_hat {psnr:.1f} dB, {100 * differ:.2f} % of rounded y differ"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which medians are taken (5)")
    parser.add_argument("--side", type=int, default=256, help="side of the training images in px (256)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (1 2)")
    parser.add_argument("--compile", action="store_true", help="also torch.compile")
    parser.add_argument("--memory", choices=STEPS, help="print the MiB of one training step of a variant, no more")
    args = parser.parse_args()
    if args.memory:
        print(memory_mib(args.memory, args.side))
        return
    print(f"torch {torch.__version__}, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}\n")
    print(transforms([*STEPS, *(["compiled"] if args.compile else [])], args.threads, args.rounds), flush=True)
    print(f"\n{bf16_loss()}\n", flush=True)
    rows = []
    for count in args.threads:
        torch.set_num_threads(count)
        ms = medians_ms({name: step(name, args.side) for name in STEPS}, args.rounds)
        rows.append([f"training step, 2 x {args.side}x{args.side}, ms", str(count), *ratios(ms)])
    command = [sys.executable, __file__, "--side", str(args.side), "--memory"]
    ran = {name: subprocess.run([*command, name], check=True, capture_output=True) for name in STEPS}
    mib = {name: float(each.stdout) for name, each in ran.items()}
    rows.append(["memory of a step, MiB", str(args.threads[-1]), *ratios(mib)])
    print(table(["", "threads", *STEPS, *(f"plain / {name}" for name in STEPS[1:])], rows))


if __name__ == "__main__":
    main()
