"""Rates of a training step in which each image has a lambda of its own, so that one codec is trained for all of them.

Per image the loss is `lambda * (distortion + gamma / lambda_0 * L_OCR) + rate`, where lambda_0 is the codec's own
lambda and gamma the weight of reading there: reading and distortion keep their balance at every rate. Low lambdas would
have no say in a plain mean, so each image counts with `sqrt(lambda_0 / lambda)`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tfic.codec.image_codec import Reconstruction
from tfic.codec.quality import lmbda_of
from tfic.system import devices


@dataclass(frozen=True)
class Rates:
    """Qualities of a batch and what they stand for in the loss."""

    quality: Float[Tensor, " B"]
    """Quality of each image, 0 to 100."""
    lmbda: Float[Tensor, " B"]
    """Weight of its distortion."""
    share: Float[Tensor, " B"]
    """Weight of its loss in the mean."""

    def part(self, indexes: range, device: torch.device) -> "Rates":
        """Those of some images, on a device."""
        mine = (each[indexes.start :: indexes.step] for each in (self.quality, self.lmbda, self.share))
        return Rates(*(devices.send(each, device) for each in mine))


def draw_rates(rng: np.random.Generator, batch: int, own_lmbda: float) -> Rates:
    """A quality from each part of the range, in random order, so that every step sees all of it."""
    quality = 100 * (rng.permutation(batch) + rng.random(batch)) / batch
    lmbda = np.array([lmbda_of(each) for each in quality])
    values = (quality, lmbda, np.sqrt(own_lmbda / lmbda))
    return Rates(*(torch.from_numpy(each).float() for each in values))


def pixel_loss(
    result: Reconstruction,
    x: Float[Tensor, "B 3 H W"],
    rates: Rates,
    kept: float = 1.0,
    weights: Float[Tensor, "B 1 H W"] | None = None,
) -> Float[Tensor, ""]:
    """The loss without reading; for `weights` see `tfic.training.losses.distortion`.

    Args:
        result: what a codec made of `x`.
        x: the originals.
        rates: a lambda for each of them.
        kept: the share of lambda that counts.
        weights: weight of each pixel's squared error.
    """
    errors = (result.x_hat - x).square()
    distortion = 255**2 * (errors if weights is None else weights * errors).mean((1, 2, 3))
    bits = torch.stack([-each.log2().flatten(1).sum(1) for each in result.likelihoods]).sum(0)
    return (rates.share * (kept * rates.lmbda * distortion + bits / x[0, 0].numel())).mean()


def weigh_reading(x_hat: Float[Tensor, "B 3 H W"], rates: Rates, own_lmbda: float) -> Float[Tensor, "B 3 H W"]:
    """`x_hat` for a reader; each image's gradient of reading, taken with one gamma, becomes that of its own lambda."""
    factors = (rates.share * rates.lmbda / own_lmbda).view(-1, 1, 1, 1)
    return x_hat.detach() + factors * (x_hat - x_hat.detach())
