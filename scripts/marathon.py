"""Train the foundation, one lite-vbr for every quality, for as long as there is time; killed and resumed at will."""

import argparse
import csv
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import tfic
from tfic import metrics
from tfic.codec.lite_vbr import lite_vbr, start_from_lite
from tfic.codec.quality import lmbda_of
from tfic.config import DataConfig
from tfic.crops import draw_crops
from tfic.data import draw_set
from tfic.ocr.page import PPOCRPageReader

LEVELS = (0, 50, 100, 150, 200)
REFERENCE = 0.0032


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("run", type=Path)
    p.add_argument("--train-count", type=int, default=6000)
    p.add_argument("--minutes", type=float, default=1e9)
    p.add_argument("--steps", type=int, default=10**9)
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--eval-every", type=int, default=1500)
    p.add_argument("--noise", action="store_true")
    return p.parse_args()


def rate_of(run: Path, step: int) -> float:
    """Learning rate: settings in run/schedule.json, read anew: peak, and where a cooldown begins and how long it takes."""
    s = {"peak": 6e-4, "cooldown_start": 10**9, "cooldown_steps": 1, "warm_up": 200, "first": 0}
    path = run / "schedule.json"
    if path.exists():
        s |= json.loads(path.read_text())
    warm = min(1.0, (step - s["first"] + 1) / s["warm_up"])
    left = 1.0
    if step >= s["cooldown_start"]:
        left = max(0.05, 1 - (step - s["cooldown_start"]) / s["cooldown_steps"])
    return s["peak"] * warm * left


class Average:
    def __init__(self, codec):
        self.values = [p.detach().clone() for p in codec.parameters()]
        self.count = 0

    def update(self, codec):
        self.count += 1
        decay = min(0.999, self.count / (10 + self.count))
        torch._foreach_lerp_(self.values, [p.detach() for p in codec.parameters()], 1 - decay)

    def write_to(self, codec):
        with torch.no_grad():
            for p, v in zip(codec.parameters(), self.values):
                p.copy_(v)


def evaluate(codec, pages, reader):
    out = {}
    with torch.no_grad():
        for level in LEVELS:
            coder, rows = codec.at(level / 2), []
            for page in pages:
                data = coder.encode(page.image)
                x_hat = np.asarray(codec.decode(data))
                read = reader.read_lines(x_hat, [line.quad for line in page.lines])
                acc = [metrics.accuracy(line.text, text) for line, text in zip(page.lines, read)]
                rows.append((8 * len(data) / page.image[..., 0].size, metrics.psnr_db(page.image, x_hat), np.mean(acc)))
            out[level] = np.mean(rows, 0)
    return out


def append(path: Path, row: dict):
    new = not path.exists()
    with path.open("a", newline="") as f:
        w = csv.DictWriter(f, list(row))
        if new:
            w.writeheader()
        w.writerow(row)


def atomic(obj, path: Path):
    partial = path.with_suffix(".partial")
    torch.save(obj, partial)
    os.replace(partial, path)


def main():
    args = parse()
    torch.set_num_threads(1)
    run = args.run
    run.mkdir(parents=True, exist_ok=True)
    pages = draw_set("train", args.train_count, DataConfig(train_count=args.train_count))
    held = draw_set("test", 24, DataConfig(test_count=24, seed=1))
    reader = PPOCRPageReader(256, 1)
    torch.manual_seed(0)
    codec = lite_vbr()
    spare = lite_vbr()
    start_from_lite(codec, tfic.load("zoo/lite-cpu-0.003"))
    codec.train()
    parameters = [p for p in codec.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=1e-4, fused=True)
    average = Average(codec)
    step, seconds = 0, 0.0
    state_path = run / "state.pt"
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        codec.load_state_dict(state["codec"])
        optimiser.load_state_dict(state["optimiser"])
        average.values, average.count = state["average"], state["count"]
        step, seconds = state["step"], state["seconds"]

    def save():
        atomic({"codec": codec.state_dict(), "optimiser": optimiser.state_dict(), "average": average.values,
                "count": average.count, "step": step, "seconds": seconds}, state_path)

    def measure():
        spare.load_state_dict(codec.state_dict())
        average.write_to(spare)
        spare.eval().update()
        for level, (bpp, psnr, lines) in evaluate(spare, held, reader).items():
            append(run / "evaluations.csv", {"step": step, "seconds": round(seconds), "quality": level / 2, "lmbda": round(lmbda_of(level / 2), 6),
                                    "bpp": round(bpp, 5), "psnr_db": round(psnr, 3), "accuracy_lines": round(lines, 4)})
        atomic({"codec": spare.state_dict(), "step": step}, run / f"average-{step:07d}.pt")

    begun, last, last_save = time.monotonic(), time.monotonic(), time.monotonic()
    sums = np.zeros((3, 4))
    while step < args.steps and time.monotonic() - begun < 60 * args.minutes:
        rng = np.random.default_rng([0, step])
        torch.manual_seed(int(rng.integers(2**62)))
        x = draw_crops(pages, rng, args.batch, 256, 256, on_text=False).on("cpu").contiguous(memory_format=torch.channels_last)
        # one lambda from each part of the range, so that every step sees all of it
        shares = (rng.permutation(args.batch) + rng.random(args.batch)) / args.batch
        lmbdas = torch.tensor([lmbda_of(100 * s) for s in shares], dtype=torch.float32)
        for group in optimiser.param_groups:
            group["lr"] = rate_of(run, step)
        optimiser.zero_grad(set_to_none=True)
        result = codec.at_qualities(x, torch.tensor(100 * shares, dtype=torch.float32))
        bpp = sum(-each.log2().flatten(1).sum(1) for each in result.likelihoods) / x[0, 0].numel()
        distortion = 255**2 * (result.x_hat - x).square().mean((1, 2, 3))
        losses = lmbdas * distortion + bpp
        loss = (losses * (REFERENCE / lmbdas).sqrt()).mean()
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"loss is {float(loss.detach())} at step {step}")
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, 1.0))
        if not math.isfinite(norm):
            raise FloatingPointError(f"norm is {norm} at step {step}")
        optimiser.step()
        average.update(codec)
        step += 1
        now = time.monotonic()
        seconds += now - last
        last = now
        third = np.minimum((shares * 3).astype(int), 2)
        for k in range(args.batch):
            sums[third[k]] += [*(float(each[k].detach()) for each in (losses, bpp)), float(distortion[k].detach()) / 255**2, 1]
        if step % 100 == 0:
            row = {"step": step, "seconds": round(seconds, 1), "lr": rate_of(run, step), "norm": round(norm, 3)}
            for t, name in enumerate(("low", "mid", "high")):
                m = sums[t] / max(1, sums[t][3])
                row |= {f"loss_{name}": round(m[0], 4), f"bpp_{name}": round(m[1], 4), f"mse_{name}": round(m[2], 7)}
            append(run / "training.csv", row)
            sums[:] = 0
        if now - last_save > 240:
            save()
            last_save = now
        if step % args.eval_every == 0:
            measure()
            save()
            last = last_save = time.monotonic()
    save()
    measure()


if __name__ == "__main__":
    main()
