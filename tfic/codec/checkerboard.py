"""A context of two passes: every other position of y, as on a checkerboard, tells of the positions between.

Source: He et al., Checkerboard Context Model for Efficient Learned Image Compression (arXiv 2103.15306). There a
convolution of all of y's channels joins the hyperprior; here a few channels do, since the encoder pays for it in
float64 (`tfic.codec.exact`), and what they tell is added to what the hyperprior says alone.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

REACH = 2
"""Rows and columns that a position looks at to either side."""


@dataclass(frozen=True)
class Board:
    """Positions of a map in the order of coding: anchors, whose row and column are both even or both odd, then others.

    Each of the two goes row by row.
    """

    height: int
    """h."""
    width: int
    """w."""
    anchors: int
    """Number of anchors, ceil(h w / 2)."""
    order: Int[Tensor, " P"]
    """Positions, counted row by row, in the order of coding."""
    places: Int[Tensor, " P"]
    """Where each position, row by row, stands in the order of coding."""

    def to_sequence(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B P C"]:
        """The positions of a map in the order of coding."""
        return x.permute(0, 2, 3, 1).flatten(1, 2)[:, self.order]

    def to_map(self, x: Float[Tensor, "B P C"]) -> Float[Tensor, "B C h w"]:
        """The map of such a sequence, in channels-last memory."""
        return x[:, self.places].unflatten(1, (self.height, self.width)).permute(0, 3, 1, 2)

    def with_margin(self, positions: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """Where positions lie in a map with a margin of REACH."""
        rows, columns = positions // self.width, positions % self.width
        return (rows + REACH) * (self.width + 2 * REACH) + columns + REACH


def board(height: int, width: int, device: torch.device) -> Board:
    """The order of coding for a map."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    others = ((rows[:, None] + columns) % 2).flatten()
    order = others.argsort(stable=True)
    return Board(height, width, -(-height * width // 2), order, order.argsort())


class Context(nn.Module):
    """A network from anchors to the scales and means of the positions between them; before training it adds zero."""

    offsets: Int[Tensor, "n 2"]

    def __init__(self, channels: int, features: int, told: int = 24, inner: int = 96) -> None:
        """Make a network.

        Args:
            channels: of y.
            features: channels of the hyperprior's features.
            told: channels that y is reduced to at anchors.
            inner: channels between the layers of the MLP.
        """
        super().__init__()
        self.register_buffer("offsets", torch.tensor(_offsets()), persistent=False)
        self.reduce = nn.Linear(channels, told)
        self.widen = nn.Linear(len(_offsets()) * told + features, inner)
        self.out = nn.Linear(inner, 2 * channels)
        for tensor in self.out.parameters():
            nn.init.zeros_(tensor)

    def forward(
        self, y_hat: Float[Tensor, "B A M"], features: Float[Tensor, "B P F"], place: Board
    ) -> Float[Tensor, "B P-A 2M"]:
        """y_hat of anchors and features of all positions to addends for the scales and means of the others."""
        B, told = len(y_hat), self.reduce(y_hat)
        wide = place.width + 2 * REACH
        around = told.new_zeros(B, (place.height + 2 * REACH) * wide, told.shape[2])
        around = around.index_copy(1, place.with_margin(place.order[: place.anchors]), told)
        steps = self.offsets[:, 0] * wide + self.offsets[:, 1]
        neighbours = place.with_margin(place.order[place.anchors :])[:, None] + steps
        seen = around[:, neighbours].flatten(2)
        inner = F.relu(self.widen(torch.cat([seen, features[:, place.anchors :]], 2)))
        added: Tensor = self.out(inner)
        return added


def _offsets() -> list[tuple[int, int]]:
    """Rows and columns from a position to the anchors around it."""
    reach = range(-REACH, REACH + 1)
    return [(i, j) for i in reach for j in reach if (i + j) % 2]
