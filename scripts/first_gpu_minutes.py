"""The first minutes on a real GPU: each question about the training path that a CPU cannot answer, one command each.

    python scripts/first_gpu_minutes.py waits --device cuda       # one step, where a wait raises
    python scripts/first_gpu_minutes.py attention --device cuda   # which attention kernels take a bias with a gradient
    python scripts/first_gpu_minutes.py speed --device cuda       # images per second and memory, at each precision
    torchrun --nproc-per-node 2 scripts/first_gpu_minutes.py ranks --device cuda
    python scripts/first_gpu_minutes.py reading --device cuda     # stage 2: images per second and peak memory
    python scripts/first_gpu_minutes.py coding --device cuda      # milliseconds of g_a and of g_s
    python scripts/first_gpu_minutes.py table

Every command is meant to take less than ten minutes and leaves its answers in `first-gpu-minutes.json` (`--out`), so
that a session that is cut off goes on with the next one. `--device cpu` tries them out at a tiny size. Nothing here
needs Ray or MLflow. `python benchmarks/training.py` times our loop beside a plain one.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from tfic.codec import build
from tfic.config import PRECISIONS, Config
from tfic.data import train_pages
from tfic.recipes import recipe
from tfic.synth import draw
from tfic.system.devices import Device
from tfic.system.files import write_whole
from tfic.system.precision import matrix_products
from tfic.training import distributed, stages
from tfic.training.steps import Steps

Answers = dict[str, Any]
KERNELS = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.MATH,
)
"""Kernels of attention."""


def settings(device: torch.device, **train: Any) -> Config:
    """Those of `base`, or of `tiny` on a CPU, with few pages."""
    chosen = recipe("base" if device.type == "cuda" else "tiny")
    data = replace(chosen.data, train_count=64 if device.type == "cuda" else 4)
    return replace(chosen, gamma=1.0, data=data, train=replace(chosen.train, **train))


def steps_of(config: Config, name: str, device: torch.device, held: bool = True) -> Steps:
    """The steps of a stage from an untrained codec; `held` if the GPU may hold the training set."""
    torch.manual_seed(0)
    data = config.data
    other = [] if held else [draw(data.seed, "train", 0, data.height_px, data.width_px + 8)]  # not of the others' size
    stage = getattr(stages, name)(config, [*train_pages(data), *other])
    return Steps(stage, build(config.codec).to(device), config.train.clip_norm, compiled=config.train.compiled)


def timed(config: Config, name: str, device: torch.device, warm: int, count: int, held: bool = True) -> Answers:
    """Images per second, host seconds a step and peak memory of a stage; `held` as in `steps_of`."""
    batch = config.train.batch if name == "pretrain" else config.train.finetune_batch
    with matrix_products(config.train.precision, device):
        steps = steps_of(config, name, device, held)
        for step in range(warm):
            steps.take(step)
        _finish(device)
        started, host = time.perf_counter(), 0.0
        for step in range(warm, warm + count):
            before = time.perf_counter()
            steps.take(step)
            host += time.perf_counter() - before
        _finish(device)
        seconds = time.perf_counter() - started
        means = steps.means()
    memory = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    return {
        "images_per_s": batch * count / seconds,
        "host_ms": 1000 * host / count,
        "memory_gib": memory,
        "loss": means["loss"],
    }


def waits(device: torch.device) -> Answers:
    """Take a step of stage 1 in which every wait for the GPU is an error."""
    steps = steps_of(settings(device), "pretrain", device)
    for step in range(3):  # the first makes masks and the optimiser's state
        steps.take(step)
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        steps.take(3)
    except RuntimeError as error:
        return {"waits": str(error).splitlines()[0]}
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    return {"waits": "none" if device.type == "cuda" else "not tried: no GPU"}


def attention(device: torch.device) -> Answers:
    """Ask each kernel for attention with a bias that learns, as in windows of 8 x 8 at half resolution."""
    found: Answers = {}
    n = 3072 if device.type == "cuda" else 4
    for backend in KERNELS:
        for kind in (torch.float32, torch.bfloat16):
            q, k, v = (torch.randn(n, 8, 64, 16, device=device, dtype=kind, requires_grad=True) for _ in range(3))
            bias = torch.randn(1, 8, 64, 64, device=device, dtype=kind, requires_grad=True)
            try:
                with sdpa_kernel(backend):
                    for _ in range(2):
                        _finish(device)
                        started = time.perf_counter()
                        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(n, -1, -1, -1))
                        out.sum().backward()
                        _finish(device)
                found[f"{backend.name} {kind}"] = f"{1000 * (time.perf_counter() - started):.2f} ms"
            except RuntimeError as error:
                found[f"{backend.name} {kind}"] = f"refused: {str(error).splitlines()[0]}"
    return found


def speed(device: torch.device) -> Answers:
    """Stage 1 at each precision, and at the last one with crops cut on the host, and compiled."""
    warm, count = (10, 50) if device.type == "cuda" else (1, 1)
    found = {kind: timed(settings(device, precision=kind), "pretrain", device, warm, count) for kind in PRECISIONS}
    cut = settings(device, precision=PRECISIONS[-1])
    found[f"{PRECISIONS[-1]}, crops cut on the host"] = timed(cut, "pretrain", device, warm, count, held=False)
    if device.type == "cuda":
        compiled = settings(device, precision="bf16", compiled=True)
        found["bf16, compiled"] = timed(compiled, "pretrain", device, warm, count)
    return found


def reading(device: torch.device) -> Answers:
    """Stage 2 at each precision, at the width of text that the recipe reads in a step."""
    warm, count = (5, 30) if device.type == "cuda" else (1, 1)
    kinds = PRECISIONS if device.type == "cuda" else ("float32",)
    return {kind: timed(settings(device, precision=kind), "finetune", device, warm, count) for kind in kinds}


def ranks(device: torch.device) -> Answers:
    """Stage 1 on as many ranks as torchrun has started."""
    warm, count = (10, 50) if device.type == "cuda" else (1, 1)
    return {f"{distributed.world()} ranks": timed(settings(device), "pretrain", device, warm, count)}


def coding(device: torch.device) -> Answers:
    """Milliseconds of g_a and of g_s for one image of 256 x 256 pixels; files are coded on the CPU."""
    codec = build(settings(device).codec).to(device).eval()
    x = torch.rand(1, 3, 256, 256, device=device)
    with torch.no_grad():
        y = codec.get_submodule("g_a")(x)
        return {
            "g_a_ms": _median_ms(lambda: codec.get_submodule("g_a")(x), device),
            "g_s_ms": _median_ms(lambda: codec.get_submodule("g_s")(y), device),
        }


QUESTIONS: dict[str, Callable[[torch.device], Answers]] = {
    each.__name__: each for each in (waits, attention, speed, ranks, reading, coding)
}


def table(answers: Answers) -> str:
    """The answers as Markdown."""
    rows = ["| question | of | answer |", "| --- | --- | --- |"]
    for name in QUESTIONS:
        for what, value in answers.get(name, {"": "not asked yet"}).items():
            shown = (
                ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) if isinstance(value, dict) else _shown(value)
            )
            rows.append(f"| {name} | {what} | {shown} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer one question and keep the answer, or print all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=[*QUESTIONS, "table"])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda", help="where to run it (cuda)")
    parser.add_argument("--out", type=Path, default=Path("first-gpu-minutes.json"), help="file of the answers")
    args = parser.parse_args(arguments)
    answers: Answers = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    if args.question != "table":
        with distributed.join(Device(args.device)):
            device = Device(args.device).here()
            found = QUESTIONS[args.question](device)
            if distributed.rank():
                return
        card = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        answers[args.question] = {"device": f"{card}, torch {torch.__version__}", **found}
        write_whole(args.out, json.dumps(answers, indent=1).encode())
    print(table(answers))


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _median_ms(run: Callable[[], object], device: torch.device, count: int = 20) -> float:
    times = []
    for _ in range(count):
        _finish(device)
        started = time.perf_counter()
        run()
        _finish(device)
        times.append(1000 * (time.perf_counter() - started))
    return sorted(times)[count // 2]


if __name__ == "__main__":
    main()
