"""The first minutes on a real GPU: each question about the training path that a CPU cannot answer, one command each.

    python scripts/first_gpu_minutes.py waits --device cuda       # a step of each stage, where a wait raises
    python scripts/first_gpu_minutes.py attention --device cuda   # which attention kernels take a bias with a gradient
    python scripts/first_gpu_minutes.py speed --device cuda       # stage 1: images per second and memory
    torchrun --nproc-per-node 2 scripts/first_gpu_minutes.py ranks --device cuda
    python scripts/first_gpu_minutes.py reading --device cuda     # stage 2: images per second and peak memory
    python scripts/first_gpu_minutes.py coding --device cuda      # milliseconds of encoding, decoding and reading
    python scripts/first_gpu_minutes.py table

Every command is meant to take less than ten minutes. Each answer is in `first-gpu-minutes.json` (`--out`) as soon as it
is there: the same command goes on with those that are missing or failed, so give another file to measure a change.
`--device cpu` tries them out at a tiny size. `python benchmarks/training.py` times our loop beside a plain one.

Then train: `python scripts/marathon.py RUN --scale gpu --minutes 9`, again and again. Its loop is no measure of the
speeds above: it waits for the GPU in each step, whose norm and terms it reads, cuts crops on the host, computes in
float32 on one GPU, compiles nothing, and measures on one CPU thread while the GPU is idle.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from gpu_answers import Answers, Row, answer, kept, place, table
from torch.nn.attention import SDPBackend, sdpa_kernel

from tfic.codec import build
from tfic.config import PRECISIONS, Config
from tfic.data import train_pages
from tfic.ocr.ppocr import HEIGHT_PX, MIN_WIDTH_PX, LineReader
from tfic.recipes import recipe
from tfic.synth import draw
from tfic.system import devices
from tfic.system.devices import Device
from tfic.system.precision import matrix_products
from tfic.training import distributed, stages
from tfic.training.steps import Steps

ENCODING_MS, READING_MS = 12.9, 24.1
"""Milliseconds an image, as TFIC's slides have them, on hardware and of images that they do not name."""
WAITED = "synchronizing CUDA operation"
"""Part of torch's sentence for a wait."""
KERNELS = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.MATH,
)


def settings(device: torch.device, **train: Any) -> Config:
    """Those of `base`, or of `tiny` on a CPU, with few pages."""
    chosen = recipe("base" if device.type == "cuda" else "tiny")
    data = replace(chosen.data, train_count=64 if device.type == "cuda" else 4)
    return replace(chosen, gamma=1.0, data=data, train=replace(chosen.train, **train))


def steps_of(config: Config, name: str, device: torch.device, held: bool = True) -> Steps:
    """The steps of a stage from an untrained codec; `held` if the GPU may hold the training set."""
    torch.manual_seed(0)
    size_px = config.data.height_px, config.data.width_px + 8  # not that of the others
    other = [] if held else [draw(config.data.seed, "train", 0, *size_px)]
    stage = getattr(stages, name)(config, [*train_pages(config.data), *other])
    codec = build(config.codec)
    if name == "finetune" and config.train.learns == "encoder":
        codec.freeze_decoder()
    return Steps(stage, codec.to(device), config.train.clip_norm, compiled=config.train.compiled)


def timed(config: Config, name: str, device: torch.device, held: bool = True) -> Answers:
    """Images per second, milliseconds after which a step returns, and peak memory of a stage; `held` as in `steps_of`.

    A step returns once it is handed to the GPU: that is the host's work, and on a GPU that is slower than the host also
    the wait for room in its queue.
    """
    warm, count = (10, 50) if device.type == "cuda" else (1, 1)
    if device.type == "cuda":
        gc.collect()  # what an earlier row has left in cycles is no memory of this one
        torch.cuda.reset_peak_memory_stats(device)
    batch = config.train.batch if name == "pretrain" else config.train.finetune_batch
    with matrix_products(config.train.precision, device):
        steps = steps_of(config, name, device, held)
        for step in range(warm):
            steps.take(step)
        _finish(device)
        started = time.perf_counter()
        for step in range(warm, warm + count):
            steps.take(step)
        returned = time.perf_counter() - started
        _finish(device)
        seconds = time.perf_counter() - started
        means = steps.means()
    return {
        "images_per_s": batch * count / seconds,
        "step_returns_after_ms": 1000 * returned / count,
        "memory_gib": torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
        "loss": means["loss"],
    }


def first_wait(take: Callable[[], object]) -> str:
    """Where `take` first waits for the GPU while a wait is an error, or "none"; any other error is raised."""
    try:
        take()
    except RuntimeError as error:
        if WAITED not in str(error):
            raise
        return f"{str(error).splitlines()[0]} at {place(error)}"
    return "none"


def waits(device: torch.device) -> Iterator[Row]:
    """Take a step of each stage in which every wait for the GPU is an error."""

    def ask(name: str) -> str:
        steps = steps_of(settings(device), name, device)
        for step in range(3):  # the first makes masks and the optimiser's state
            steps.take(step)
        if device.type != "cuda":
            return "not tried: no GPU"
        torch.cuda.set_sync_debug_mode("error")
        try:
            return first_wait(lambda: steps.take(3))
        finally:
            torch.cuda.set_sync_debug_mode("default")

    for name in ("pretrain", "finetune"):
        yield name, partial(ask, name)


def attention(device: torch.device) -> Iterator[Row]:
    """Ask each kernel for attention with a bias that learns, as in windows of 8 x 8 at half resolution."""
    n = 3072 if device.type == "cuda" else 4

    def ask(backend: SDPBackend, kind: torch.dtype) -> str:
        q, k, v = (torch.randn(n, 8, 64, 16, device=device, dtype=kind, requires_grad=True) for _ in range(3))
        bias = torch.randn(1, 8, 64, 64, device=device, dtype=kind, requires_grad=True)

        def run() -> None:
            F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(n, -1, -1, -1)).sum().backward()

        try:
            with sdpa_kernel(backend):
                return f"{_median_ms(run, device):.2f} ms"
        except RuntimeError as error:
            return f"refused: {str(error).splitlines()[0]}"

    for backend in KERNELS:
        for kind in (torch.float32, torch.bfloat16):
            yield f"{backend.name} {kind}", partial(ask, backend, kind)


def speed(device: torch.device) -> Iterator[Row]:
    """Stage 1 at each precision, and at the last one with crops cut on the host, and compiled."""
    for kind in PRECISIONS:
        yield kind, partial(timed, settings(device, precision=kind), "pretrain", device)
    cut = settings(device, precision=PRECISIONS[-1])
    yield f"{PRECISIONS[-1]}, crops cut on the host", partial(timed, cut, "pretrain", device, held=False)
    if device.type == "cuda":
        compiled = settings(device, precision="bf16", compiled=True)
        yield "bf16, compiled", partial(timed, compiled, "pretrain", device)


def reading(device: torch.device) -> Iterator[Row]:
    """Stage 2 at each precision, at the width of text that the recipe reads in a step."""
    for config in (settings(device, precision=kind) for kind in PRECISIONS):
        what = f"{config.train.precision}, {config.train.read_width_px} px of text"
        yield what, partial(timed, config, "finetune", device)


def ranks(device: torch.device) -> Iterator[Row]:
    """Stage 1 on as many ranks as torchrun has started."""
    yield f"{distributed.world()} ranks", partial(timed, settings(device), "pretrain", device)


def coding(device: torch.device) -> Iterator[Row]:
    """Milliseconds for one image of 256 x 256 pixels; reading is that of lines, without the detector."""
    codec, reader = build(settings(device).codec).to(device).eval(), LineReader().to(device)
    codec.update()
    image = draw(0, "test", 0).image
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float().to(device) / 255
    lines = torch.rand(4, 3, HEIGHT_PX, MIN_WIDTH_PX, device=device)
    g_a, g_s = codec.get_submodule("g_a"), codec.get_submodule("g_s")
    with torch.no_grad():
        y = g_a(x)

    @torch.no_grad()
    def ask(run: Callable[[], object], **slides_ms: float) -> Answers:
        return {"ms": _median_ms(run, device)} | slides_ms

    yield "encoding: g_a", partial(ask, lambda: g_a(x), slides_ms=ENCODING_MS)
    yield "encoding: the whole file", partial(ask, lambda: codec.encode(image), slides_ms=ENCODING_MS)
    yield "decoding: g_s", partial(ask, lambda: g_s(y))
    yield f"reading: {len(lines)} lines of {MIN_WIDTH_PX} px", partial(ask, lambda: reader(lines), slides_ms=READING_MS)


QUESTIONS: dict[str, Callable[[torch.device], Iterator[Row]]] = {
    each.__name__: each for each in (waits, attention, speed, ranks, reading, coding)
}
TRAINING = "| training | at --scale gpu | its own log: `python scripts/marathon.py RUN --scale gpu --minutes 9` |"
"""The last row of the table: a question that another script asks."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer one question and keep the answers, or print all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=[*QUESTIONS, "table"])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda", help="where to run it (cuda)")
    parser.add_argument("--out", type=Path, default=Path("first-gpu-minutes.json"), help="file of the answers")
    args = parser.parse_args(arguments)
    failed: list[str] = []
    if args.question != "table":
        device = Device(args.device)
        with distributed.join(device):
            here = device.here()
            own = f"{devices.name(here)}, torch {torch.__version__}"
            failed = answer(args.question, QUESTIONS[args.question](here), own, args.out)
            if distributed.rank():
                sys.exit(bool(failed))
    print(table(kept(args.out), QUESTIONS))
    print(TRAINING)
    if failed:
        sys.exit("\n".join(failed))


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
