"""lite-vbr: lite's transforms at any quality, with a context model and a decoder of more blocks."""

import torch
from torch import nn

from tfic.codec.checkerboard import Context
from tfic.codec.conditioned import Conditioned, ConditionedBlock, Gain, Shift
from tfic.codec.lite import HYPER, Block, C, Down, M, Magnitudes, N, Up
from tfic.codec.variable_rate import Transforms, VariableRate

DECODER_BLOCKS = 6


def lite_vbr() -> VariableRate:
    to_z = Down(HYPER, N, 2)
    with torch.no_grad():
        to_z.conv.weight.mul_(4)

    def blocks(channels: int, count: int) -> list[nn.Module]:
        return [ConditionedBlock(channels) for _ in range(count)]

    return VariableRate(
        Transforms(
            g_a=Conditioned([Down(3, C, 8), *blocks(C, 2), Down(C, M, 2), *blocks(M, 2), Gain(M, 0.5, 2.0)]),
            g_s=Conditioned([Gain(M, 2.0, 0.5), *blocks(M, DECODER_BLOCKS), Up(M, C, 2), *blocks(C, DECODER_BLOCKS), Up(C, 3, 8)]),
            h_a=Conditioned([Magnitudes(), Down(2 * M, HYPER, 2), *blocks(HYPER, 1), to_z, Gain(N)]),
            h_s=Conditioned([Gain(N), Up(N, HYPER, 2), Shift(HYPER), nn.ReLU(), Up(HYPER, HYPER, 2), Shift(HYPER), nn.ReLU()]),
            head=nn.Linear(HYPER, 2 * M),
            context=Context(M, HYPER),
        ),
        z_channels=N,
        y_stride=16,
    ).to(memory_format=torch.channels_last)


@torch.no_grad()
def start_from_lite(codec: VariableRate, trained: nn.Module) -> None:
    """Take over the weights of a trained lite; added blocks, gains and the context stay what does nothing."""
    for name in ("g_a", "g_s", "h_a", "h_s"):
        groups = [list(getattr(trained, name).children())]
        flat: list[list[nn.Module]] = []
        for child in groups[0]:
            flat.append(list(child.children()) if isinstance(child, nn.Sequential) else [child])
        mine = [m for m in getattr(codec, name) if not isinstance(m, (Gain, Shift))]
        i = 0
        for part in flat:
            for theirs in part:
                if isinstance(theirs, nn.Conv2d) and name == "h_s":
                    codec.head.weight.copy_(theirs.weight.flatten(1))
                    codec.head.bias.copy_(theirs.bias)
                    continue
                while isinstance(mine[i], ConditionedBlock) and not isinstance(theirs, Block):
                    i += 1
                missing = mine[i].load_state_dict(theirs.state_dict(), strict=False)
                assert not missing.unexpected_keys
                i += 1
    codec.latents.load_state_dict(trained.latents.state_dict())
