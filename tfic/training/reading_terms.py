"""Terms of the reading loss of reconstructed lines of text, by a frozen reader.

| term     | per line                                                                        | needs            |
| -------- | ------------------------------------------------------------------------------- | ---------------- |
| ctc      | negative log-likelihood of the true text (TFIC's own)                           | the truth        |
| features | squared distance of feature maps of x_hat and x over the variance of those of x | the original     |
| logits   | Kullback-Leibler divergence of what is read in x_hat from what is read in x     | the original     |

Each is a mean over the characters of all lines: CTC and the divergence in nats per character, the distance as a number
that is 0 for the original and about 2 for another picture.

Sources: TFIC (arXiv 2503.19495) for `ctc`; Chen et al., TransTIC (arXiv 2306.05085) for the distance of features; Lai
et al. (arXiv 2402.08643) for distillation. Which maps, and that each line's variance normalises them, is ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tfic.ocr.training_reader import Sight
from tfic.system import devices
from tfic.training import losses

LEAST_VARIANCE = 1e-4
"""Variance below which a line's feature map counts as flat."""


@dataclass(frozen=True)
class Truth:
    """Lines to be read."""

    targets: list[list[int]]
    """Class indexes of each line's true text."""
    widths: list[float]
    """Share of the width of its image that each line fills; what is beyond is padding."""
    characters: float
    """Characters over which a mean is taken."""


def wants(terms: Mapping[str, float]) -> tuple[bool, bool]:
    """Return whether a reader has to give feature maps, and whether log-probabilities."""
    return "features" in terms, bool({"ctc", "logits"} & terms.keys())


def needs_original(terms: Mapping[str, float]) -> bool:
    """Return True when the reader has to look at the original too."""
    return bool({"features", "logits"} & terms.keys())


def reading(terms: Mapping[str, float], seen: Sight, original: Sight | None, truth: Truth) -> Float[Tensor, ""]:
    """The weighted sum of the terms.

    Args:
        terms: weight of each term.
        seen: output of the reader for the reconstructions.
        original: its output for the originals; None where no term needs it.
        truth: the lines.
    """
    parts: list[Tensor] = []
    for name, weight in terms.items():
        if name == "ctc":
            assert seen.log_probabilities is not None
            value = losses.reading(seen.log_probabilities, truth.targets, truth.characters)
        elif name == "features":
            assert original is not None
            value = feature_distance(seen.features, original.features, truth)
        else:
            assert name == "logits"
            assert original is not None
            assert seen.log_probabilities is not None
            assert original.log_probabilities is not None
            value = divergence(seen.log_probabilities, original.log_probabilities, truth)
        parts.append(weight * value)
    return torch.stack(parts).sum() if len(parts) > 1 else parts[0]


def feature_distance(
    maps: Sequence[Float[Tensor, "L C h w"]], originals: Sequence[Float[Tensor, "L C h w"]], truth: Truth
) -> Float[Tensor, ""]:
    """Mean over the maps of `mean((f(x_hat) - f(x))^2) / var(f(x))`, over each line's width, lines by characters."""
    distances = []
    for found, wanted in zip(maps, originals, strict=True):
        inside = _columns(truth, found.shape[-1], found.device)[:, None, None]
        count = inside.sum(-1, keepdim=True) * found.shape[1] * found.shape[2]
        mean = (wanted * inside).sum((1, 2, 3), keepdim=True) / count
        variance = ((wanted - mean).square() * inside).sum((1, 2, 3), keepdim=True) / count
        error = ((found - wanted).square() * inside).sum((1, 2, 3), keepdim=True) / count
        distances.append((error / variance.clamp_min(LEAST_VARIANCE)).flatten())
    lengths = devices.send(torch.tensor([float(len(target)) for target in truth.targets]), distances[0].device)
    return (torch.stack(distances).mean(0) * lengths).sum() / truth.characters


def divergence(log_q: Float[Tensor, "L T K"], log_p: Float[Tensor, "L T K"], truth: Truth) -> Float[Tensor, ""]:
    """`KL(p || q)` in nats per character, summed over the steps of each line's width; p is the original's."""
    inside = _columns(truth, log_q.shape[1], log_q.device)[..., None]
    return (F.kl_div(log_q, log_p, reduction="none", log_target=True) * inside).sum() / truth.characters


def _columns(truth: Truth, count: int, device: torch.device) -> Float[Tensor, "L w"]:
    """1 for each of `count` columns that begins within its line, 0 for padding."""
    ends = devices.send(torch.tensor(truth.widths), device)[:, None] * count
    return (torch.arange(count, device=device) < ends).float()
