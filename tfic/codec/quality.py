"""Quality, 0 to 100, as a weight of distortion lambda, and as what a variable-rate codec's weights are interpolated by.

Equal steps of quality are equal factors of lambda. What a file states of it is in `tfic.codec.bitstream`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

LMBDA_LOWEST, LMBDA_HIGHEST = 0.0008, 0.0128
"""lambda of quality 0 and of quality 100."""
KNOTS = 5
"""Values of lambda at which gains are learnt, a factor of 2 apart; between them they are interpolated."""


def lmbda_of(quality: float) -> float:
    """Weight of distortion that a quality stands for."""
    return LMBDA_LOWEST * (LMBDA_HIGHEST / LMBDA_LOWEST) ** (quality / 100)


def quality_of(lmbda: float) -> float:
    """The quality that stands for a weight of distortion; the ends of the range stand for what lies beyond."""
    share = math.log(lmbda / LMBDA_LOWEST) / math.log(LMBDA_HIGHEST / LMBDA_LOWEST)
    return 100 * min(1.0, max(0.0, share))


def knot_weights(quality: Float[Tensor, " B"]) -> Float[Tensor, "B K"]:
    """Shares of the two knots between which each quality lies; they add up to 1."""
    places = quality[:, None] * ((KNOTS - 1) / 100)
    return (1 - (places - torch.arange(KNOTS, dtype=quality.dtype, device=quality.device)).abs()).clamp(min=0)
