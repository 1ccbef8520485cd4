"""lite's layers as torch's convolutions, which is how training computed them before: the other side of a comparison."""

import torch.nn.functional as F
from torch import Tensor, nn

from tfic.codec.lite import Block, Down, Up


class PlainDown(nn.Module):
    """`Down` by a convolution with a stride; sides are whole patches."""

    def __init__(self, layer: Down) -> None:
        super().__init__()
        self.conv = layer.conv

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class PlainUp(nn.Module):
    """`Up` by a convolution of 3 x 3."""

    def __init__(self, layer: Up) -> None:
        super().__init__()
        self.conv, self.side = layer.conv, layer.side

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), self.side)


class PlainBlock(nn.Module):
    """`Block` by three convolutions."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.near, self.widen, self.narrow = block.near, block.widen, block.narrow

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.gelu(self.widen(self.near(x))))


def made_plain(module: nn.Module) -> nn.Module:
    """The module with its layers replaced by plain ones that share their weights."""
    for name, child in module.named_children():
        plain: nn.Module | None = None
        if isinstance(child, Down):
            plain = PlainDown(child)
        elif isinstance(child, Up):
            plain = PlainUp(child)
        elif isinstance(child, Block):
            plain = PlainBlock(child)
        if plain is None:
            made_plain(child)
        else:
            setattr(module, name, plain)
    return module
