"""What encoding and decoding cost, stage by stage, beside classical codecs and beside reading.

    python benchmarks/codecs.py --rounds 5

Learned codecs run on one thread, as they always do in evaluation; the reader is RapidOCR with its default settings, on
as many threads as it takes. Tic and lite have a KLT start, CompressAI's models random weights, which hardly changes the
time of a transform but that of entropy coding; those of the zoo are as they ship. Times are medians of rounds in which
everything runs once, so that ratios hold on a noisy machine; the last column is a whole encoding, image to file bytes,
over reading the same image.
"""

import argparse
import logging
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from rapidocr import RapidOCR
from timing import medians_ms, table

import tfic
from tfic.codec import build
from tfic.codec.exact import one_thread
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.image_codec import ImageCodec
from tfic.codec.klt import start_from_klt
from tfic.measuring.classical import classical
from tfic.synth import draw

LEARNED = (
    "lite",
    "zoo/lite-vbr",
    "zoo/lite-vbr-reading",
    "tic-tiny",
    "tic-small",
    "tic-base",
    "bmshj2018-hyperprior",
    "mbt2018-mean",
)
CLASSICAL = (("jpeg", 20), ("webp", 20), ("avif", 25))


def usable(name: str) -> ImageCodec:
    """A codec that ships, or an untrained one whose latents are some units wide."""
    if name.startswith("zoo/"):
        return tfic.load(name)
    torch.manual_seed(0)
    codec = build(name).eval()
    if isinstance(codec, MeanScaleHyperprior):
        pages = torch.stack([torch.from_numpy(np.array(draw(0, "train", i).image)) for i in range(8)])
        start_from_klt(codec, pages.permute(0, 3, 1, 2).float() / 255, 0.004)
    codec.update()
    return codec


def stages(codec: MeanScaleHyperprior, image: Image.Image) -> dict[str, Callable[[], object]]:
    """The parts of encoding and decoding, each alone and on one thread."""
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    latents = codec.latents
    with torch.no_grad(), one_thread():
        y = codec._analyse(x)
        z_symbols = latents.z_symbols(codec.h_a(y))
        z_hat = latents.z_hat(z_symbols)
        gaussians = codec._gaussians(z_hat, *y.shape[-2:])
        y_symbols = (y - gaussians.means).round().int()

    def alone(run: Callable[[], object]) -> Callable[[], object]:
        return torch.no_grad()(one_thread()(run))

    return {
        "g_a": alone(lambda: codec._analyse(x)),
        "h_a": alone(lambda: codec.h_a(y)),
        "h_s": alone(lambda: codec._gaussians(z_hat, *y.shape[-2:])),
        "entropy": alone(lambda: latents.encode(z_symbols, y_symbols, gaussians)),
        "g_s": alone(lambda: codec._synthesise(y_symbols + gaussians.means, image.height, image.width)),
    }


def measure(side: int, rounds: int, learned: tuple[str, ...]) -> str:
    """The table for square images of `side` pixels."""
    image = Image.fromarray(draw(0, "test", 3, height_px=side, width_px=side).image)
    bgr = np.array(image)[:, :, ::-1]
    reader = RapidOCR()
    candidates: dict[str, Callable[[], object]] = {"read": lambda: reader(bgr)}
    names = [*learned, *(f"{name} {quality}" for name, quality in CLASSICAL)]
    coders = [*(usable(name) for name in learned), *(classical(*each) for each in CLASSICAL)]
    for name, coder in zip(names, coders, strict=True):
        data = coder.encode(image)
        candidates[f"{name}/encode"] = lambda coder=coder: coder.encode(image)
        candidates[f"{name}/decode"] = lambda coder=coder, data=data: coder.decode(data)
        if isinstance(coder, MeanScaleHyperprior):
            candidates |= {f"{name}/{stage}": run for stage, run in stages(coder, image).items()}
    ms = medians_ms(candidates, rounds)
    parts = ("encode", "g_a", "h_a", "h_s", "entropy", "decode", "g_s")
    rows = [
        [name, *(f"{ms[f'{name}/{part}']:.1f}" if f"{name}/{part}" in ms else "" for part in parts),
         f"{ms[f'{name}/encode'] / ms['read']:.3f}"]
        for name in names
    ]  # fmt: skip
    head = ["codec", *(f"{part} ms" for part in parts), "encode (1 thread) / read"]
    return f"{side} x {side} pixels; reading takes {ms['read']:.0f} ms\n\n{table(head, rows)}\n"


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which medians are taken (5)")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 1024], help="sides of the images (256 1024)")
    parser.add_argument("--codecs", nargs="+", default=list(LEARNED), help="learned codecs to measure")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    for side in args.sides:
        print(measure(side, args.rounds, tuple(args.codecs)), flush=True)


if __name__ == "__main__":
    main()
