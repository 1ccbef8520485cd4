"""lite-vbr: lite at any quality between two ends, by one set of weights, with a context and a decoder of more blocks.

    image ─ patches of 8 x 8 ─ blocks ─ patches of 2 x 2 ─ blocks ─ gains ─ y        g_a: 2 + 2 blocks, as lite's
    image ─ pixels of 8 x 8 ── blocks ─ pixels of 2 x 2 ── blocks ─ gains ─ y_hat    g_s: 6 + 6 blocks

The diagram of the whole codec is in `tfic.codec.variable_rate`.
"""

import torch
from torch import nn

from tfic.codec.checkerboard import Context
from tfic.codec.conditioned import Conditioned, ConditionedBlock, Gain, Shift
from tfic.codec.lite import ENCODER_BLOCKS, HYPER, C, Down, M, Magnitudes, N, Up
from tfic.codec.variable_rate import Transforms, VariableRate

DECODER_BLOCKS = 6
"""Blocks at each of g_s's two scales."""
FINEST = 2.0
"""y's gain at the highest quality before training, and the inverse of that at the lowest: a quantiser's best step goes
with 1 / sqrt(lambda), and lambda's ends are a factor of 16 apart."""


def lite_vbr() -> VariableRate:
    """An untrained lite-vbr."""
    to_z = Down(HYPER, N, 2)
    with torch.no_grad():
        to_z.conv.weight.mul_(4)  # as in lite: let z begin a few units wide

    def blocks(channels: int, count: int) -> list[nn.Module]:
        return [ConditionedBlock(channels) for _ in range(count)]

    g_a = [Down(3, C, 8), *blocks(C, ENCODER_BLOCKS), Down(C, M, 2), *blocks(M, ENCODER_BLOCKS)]
    g_s = [*blocks(M, DECODER_BLOCKS), Up(M, C, 2), *blocks(C, DECODER_BLOCKS), Up(C, 3, 8)]
    h_s = [Up(N, HYPER, 2), Shift(HYPER), nn.ReLU(), Up(HYPER, HYPER, 2), Shift(HYPER), nn.ReLU()]
    transforms = Transforms(
        g_a=Conditioned([*g_a, Gain(M, 1 / FINEST, FINEST)]),
        g_s=Conditioned([Gain(M, FINEST, 1 / FINEST), *g_s]),
        h_a=Conditioned([Magnitudes(), Down(2 * M, HYPER, 2), ConditionedBlock(HYPER), to_z, Gain(N)]),
        h_s=Conditioned([Gain(N), *h_s]),
        head=nn.Linear(HYPER, 2 * M),
        context=Context(M, HYPER),
    )
    return VariableRate(transforms, z_channels=N, y_stride=16).to(memory_format=torch.channels_last)
