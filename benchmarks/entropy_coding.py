"""Entropy coding of 49,152 symbols on one core: CompressAI's own path against ours.

    python benchmarks/entropy_coding.py --rounds 20

Both are given the same scales, means and latents (192 channels at 16 x 16, most scales small, as at a low rate), and
both do all that lies between them and bytes: the indexes of the scales, the symbols, the stream; and back.
"""

import argparse
import math

import torch
from compressai.entropy_models import GaussianConditional
from timing import medians_ms, table

from tfic.codec.entropy import SCALES, Gaussians, LatentCoder
from tfic.codec.latent_stream import LatentReader

SHAPE = (1, 192, 16, 16)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="rounds of which medians are taken (20)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    scales = SCALES[0] * torch.exp(torch.empty(SHAPE).exponential_() * 1.5)
    means = torch.randn(SHAPE)
    y = means + scales * torch.randn(SHAPE)

    theirs = GaussianConditional(list(SCALES))
    theirs.update()
    ours = LatentCoder(1).eval()
    ours.update()
    gaussians = Gaussians(scales.double(), means)
    no_z = torch.zeros(1, 1, 0, 0, dtype=torch.int32)

    def encode() -> bytes:
        return ours.encode(no_z, (y - means).round().int(), gaussians).stream

    coded = ours.encode(no_z, (y - means).round().int(), gaussians)
    strings = theirs.compress(y, theirs.build_indexes(scales), means)

    def decode() -> torch.Tensor:
        reader = LatentReader(coded)
        ours.read_z(reader, (1, 1, 0, 0))
        return ours.read_y(reader, gaussians) + means

    theirs_decoded = theirs.decompress(strings, theirs.build_indexes(scales), means=means)
    assert torch.equal(decode(), theirs_decoded), "both must decode the same latents"

    ms = medians_ms(
        {
            "encode, CompressAI": lambda: theirs.compress(y, theirs.build_indexes(scales), means),
            "encode, ours": encode,
            "decode, CompressAI": lambda: theirs.decompress(strings, theirs.build_indexes(scales), means=means),
            "decode, ours": decode,
        },
        rounds,
    )
    rows = []
    for verb in ("encode", "decode"):
        a, b = ms[f"{verb}, CompressAI"], ms[f"{verb}, ours"]
        rows.append([verb, f"{a:.1f}", f"{b:.1f}", f"{a / b:.1f}"])
    print(
        f"{math.prod(SHAPE):,} symbols, one core; bytes: CompressAI {len(strings[0]):,}, ours {len(coded.stream):,}\n"
    )
    print(table(["", "CompressAI ms", "ours ms", "ratio"], rows))


if __name__ == "__main__":
    main()
