"""The loss of TFIC: `L = lambda * L_dist + L_rate + gamma * L_OCR`.

Stage 1 trains with gamma = 0, stage 2 with lambda = 0 (TFIC, arXiv 2503.19495).
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tfic.system import devices

SUM = 2
"""`torch.ctc_loss`'s name of the sum over lines."""


def distortion(
    x: Float[Tensor, "B 3 H W"], x_hat: Float[Tensor, "B 3 H W"], weights: Float[Tensor, "B 1 H W"] | None = None
) -> Float[Tensor, ""]:
    """`L_dist = 255^2 * MSE` of images in [0, 1], so that lambda has the scale of CompressAI's.

    With `weights` the squared error of each pixel counts so often; the mean is still over all pixels.
    """
    if weights is None:
        return 255**2 * F.mse_loss(x_hat, x)
    return 255**2 * (weights * (x_hat - x).square()).mean()


def rate(bits: Float[Tensor, ""], x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
    """`L_rate`: estimated bits per pixel of the batch."""
    return bits / (x.shape[0] * x.shape[2] * x.shape[3])


def ctc_steps(target: list[int]) -> int:
    """Steps that a CTC path for `target` needs at least: one a character, and a blank between equal neighbours."""
    return len(target) + sum(a == b for a, b in itertools.pairwise(target))


def reading(
    log_probabilities: Float[Tensor, "L T K"], targets: list[list[int]], characters: float | None = None
) -> Float[Tensor, ""]:
    """`L_OCR`: negative log-likelihood of the true texts under a CTC reader, in nats per character.

    The mean is over the characters of all lines, so that long lines weigh more than short ones; with `characters` it is
    over so many.

    Raises:
        ValueError: when a text is empty or longer than T steps can spell, where the likelihood is zero.
    """
    L, T, _ = log_probabilities.shape
    for target in targets:
        if not target or ctc_steps(target) > T:
            raise ValueError(f"a text of {len(target)} characters cannot be spelt in {T} steps of CTC")
    lengths = [len(target) for target in targets]
    flat = devices.send(torch.tensor([k for target in targets for k in target]), log_probabilities.device)
    # as numbers: a GPU's own CTC would read them from tensors first
    total = torch.ctc_loss(log_probabilities.transpose(0, 1), flat, [T] * L, lengths, reduction=SUM)
    return total / (sum(lengths) if characters is None else characters)
