"""What the reader's head costs in training, and what a head with the letters of the alphabet alone would change.

    python benchmarks/reader_head.py

PP-OCRv6 classifies each step of a line among 18,710 characters; training pages have 95 of them. A restricted head
computes their logits and the blank's alone, so that its probabilities sum to 1 over these: an approximation of CTC.
Lines of drawn test pages as `zoo/lite-vbr` decodes them at three qualities, one thread, CPU time of a forward and a
backward pass as in stage 2: the features alone (no head), CTC with the whole head, CTC with the restricted one,
and CTC of the logarithm of probabilities. The cosine is that of the gradients of the two at the pixels.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from timing import table
from torch import Tensor

import tfic
from tfic.codec.exact import one_thread
from tfic.config import DataConfig
from tfic.data import test_pages
from tfic.ocr.graph_nodes import constant_of, module_of
from tfic.ocr.ppocr import LineReader
from tfic.ocr.rectify import as_batch, rectify, width_at
from tfic.synth.typefaces import CHARACTERS
from tfic.training import losses
from tfic.training.reading import SQUEEZE, legible

PAGES, ROUNDS = 5, 3
QUALITIES = (0.0, 50.0, 100.0)


def main() -> None:
    """Print the table."""
    reader = LineReader()
    product = [
        node for node in reader.network.graph.nodes if type(module_of(reader.network, node)).__name__ == "OnnxMatMul"
    ][-1]
    weight = constant_of(reader.network, product.args[1])
    bias = constant_of(reader.network, next(iter(product.users)).args[1])
    kept = [0, *reader.alphabet.encode(CHARACTERS + " ")]
    place = {each: number for number, each in enumerate(kept)}
    rows = []
    for quality in QUALITIES:
        lines, texts = _lines(reader, quality)
        targets = [reader.alphabet.encode(text) for text in texts]
        few = [[place[each] for each in target] for target in targets]
        characters = sum(map(len, targets))

        def whole(x: Tensor, targets: list[list[int]] = targets, characters: int = characters) -> Tensor:
            return losses.reading(reader(x), targets, characters)

        def restricted(x: Tensor, few: list[list[int]] = few, characters: int = characters) -> Tensor:
            last = reader.look(x, True, False).features[-1][:, :, 0].transpose(1, 2)
            return losses.reading((last @ weight[:, kept] + bias[kept]).log_softmax(2), few, characters)

        def before(x: Tensor, targets: list[list[int]] = targets, characters: int = characters) -> Tensor:
            last = reader.look(x, True, False).features[-1][:, :, 0].transpose(1, 2)
            probabilities = (last @ weight + bias).softmax(2)
            return losses.reading(probabilities.clamp_min(1e-12).log(), targets, characters)

        ways = {"features": partial(_features, reader), "whole": whole, "restricted": restricted, "before": before}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, loss in ways.items():
                times[name].append(_seconds(loss, lines))
        gradients = [_gradient(loss, lines) for loss in (whole, restricted)]
        inside = reader(lines).exp()[..., kept].sum(-1)
        values = [float(whole(lines)), float(restricted(lines))]
        values.append(float(torch.cosine_similarity(*(each.flatten() for each in gradients), dim=0)))
        medians = [f"{1000 * statistics.median(each):.0f}" for each in times.values()]
        outside = f"{float((1 - inside).mean()):.4f}"
        rows.append([f"{quality:g}", *medians, *(f"{value:.3f}" for value in values), outside])
    heads = ["quality", "features, ms", "CTC, ms", "restricted, ms", "softmax, then log, ms"]
    heads += ["CTC", "restricted", "cosine", "mass outside"]
    print(table(heads, rows))


def _features(reader: LineReader, x: Tensor) -> Tensor:
    return torch.stack([each.square().mean() for each in reader.look(x, True, False).features]).sum()


def _lines(reader: LineReader, quality: float) -> tuple[Tensor, list[str]]:
    """Lines of decoded pages, (L, 3, 48, W), and their texts."""
    codec = tfic.load("zoo/lite-vbr").at(quality)
    decoded, lines = [], []
    for number, page in enumerate(test_pages(DataConfig(test_count=PAGES))):
        decoded.append(as_batch(np.asarray(codec.decode(codec.encode(page.image)))))
        lines += [(number, line) for line in page.lines if legible(reader, line)][:2]
    quads, page_of = [line.quad for _, line in lines], [number for number, _ in lines]
    widest = max(width_at(quad, reader.height_px, SQUEEZE) for quad in quads)
    crops = rectify(torch.cat(decoded), quads, page_of, reader.height_px, widest, SQUEEZE)
    return crops, [line.text for _, line in lines]


def _gradient(loss: Callable[[Tensor], Tensor], lines: Tensor) -> Tensor:
    x = lines.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x), x)
    return gradient


def _seconds(loss: Callable[[Tensor], Tensor], lines: Tensor) -> float:
    begun = time.thread_time()
    _gradient(loss, lines)
    return time.thread_time() - begun


if __name__ == "__main__":
    with one_thread():
        main()
