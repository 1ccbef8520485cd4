"""A hyperprior whose second half of y is told by the first, at any quality that the caller names.

                 +-----+ y    +---+ y_hat  +-----+
    x -----------+ g_a +--+---+ Q +--+-----+ g_s +---- x_hat
                 +-----+  |   +-+-+  |     +-----+
                       +--+--+  |    | anchors         anchors  every other position of y, like a board's black squares
                       | h_a |  |  +-+-------+
                       +--+--+  |  | context |
                          | z   |  +-+-------+
                        +-+-+   |    |
                        | Q |   +----+ scales, means: of anchors from z_hat alone, of the others from anchors too
                        +-+-+        |
                    z_hat | +-----+  |
                          +-+ h_s +--+
                            +-----+

Every transform takes the quality (`tfic.codec.conditioned`). An element whose scale is the narrowest is not coded: its
mean is as good as certain (Alshina et al., the skip mode of JPEG AI), which saves most of the entropy coder's time.

Source: He et al., Checkerboard Context Model (arXiv 2103.15306).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tfic.codec.entropy import Gaussians


class Context(nn.Module):
    """What anchors tell of their neighbours: addends to the scales and means of these. Zero before training."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.channels = channels
        self.near = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.widen = nn.Conv2d(channels + hidden, channels, 1)
        self.out = nn.Conv2d(channels, 2 * channels, 1)
        for tensor in self.out.parameters():
            nn.init.zeros_(tensor)

    def forward(self, x: Float[Tensor, "B M+hidden h w"]) -> Float[Tensor, "B 2M h w"]:
        """Take y_hat of anchors, zero elsewhere, and the hyperprior's features, side by side."""
        y_hat, features = x.split([self.channels, x.shape[1] - self.channels], 1)
        joined = torch.cat([self.near(y_hat), features], 1).permute(0, 2, 3, 1)
        inner = F.linear(joined, self.widen.weight.flatten(1), self.widen.bias).relu_()
        return F.linear(inner, self.out.weight.flatten(1), self.out.bias).permute(0, 3, 1, 2)


def anchors(y: Float[Tensor, "B M h w"]) -> Bool[Tensor, "h w"]:
    """Positions that are told first: row and column both even or both odd."""
    rows, columns = (torch.arange(side, device=y.device) for side in y.shape[2:])
    return (rows[:, None] + columns) % 2 == 0
