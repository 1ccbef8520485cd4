"""A start for training: the codec as the best linear transform coder of its own images.

Strided convolutions get the Karhunen-Loeve transform of the 2 x 2 patches that they cover, the transposed ones its
inverse, y the step size that high-rate theory wants for lambda, and the hyper synthesis the width of each channel of y.
Training then begins with a codec that works and spends its steps on being better; from random weights a short training
spends them on finding a transform at all (figures in LOG.md).

Sources: Goyal, Theoretical foundations of transform coding (IEEE SPM 2001) for the transform and the step size; that
a deep codec is started from it is ours.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec.hyperprior import MeanScaleHyperprior


def step_size(lmbda: float) -> float:
    """Quantiser step, in pixel values of [0, 1], at which `lmbda * 255^2 * MSE + bpp` is least at high rate.

    A uniform quantiser of step s errs by D = s^2 / 12; three components a pixel cost 3 * (-log2(D) / 2) bits and a
    constant, so the loss is least where lmbda * 255^2 = 3 / (2 ln 2 D).
    """
    return math.sqrt(12 * 3 / (2 * math.log(2) * lmbda * 255**2))


@torch.no_grad()
def start_from_klt(codec: MeanScaleHyperprior, x: Float[Tensor, "B 3 H W"], lmbda: float) -> None:
    """Set the weights of a codec whose g_a alternates strided convolutions and groups, and whose g_s mirrors it.

    Args:
        codec: a TIC.
        x: images of the kind it will be trained on, in [0, 1]; a few dozen do.
        lmbda: weight of distortion that it will be trained for.
    """
    analysis, synthesis = list(codec.g_a.children()), list(codec.g_s.children())[::-1]
    convs, groups = analysis[0::2], analysis[1::2]
    deconvs, inverse_groups = synthesis[0::2], synthesis[1::2]
    features, scale = x, 1.0  # scale: of the features, against an orthonormal transform of the pixels
    for level, (conv, group) in enumerate(zip(convs, groups, strict=True)):
        means = features.mean((0, 2, 3))
        assert isinstance(conv, nn.Conv2d)
        basis = _principal_patches(features - means.view(1, -1, 1, 1), conv.out_channels)
        stretch = 1 / (2 * scale * step_size(lmbda)) if level == len(convs) - 1 else 1.0
        _set(conv, stretch * basis, -stretch * basis.sum((-2, -1)) @ means)
        transformed = conv(features)
        features = group(transformed)
        gain = _gain(features, transformed)
        scale *= stretch * gain
        undo = stretch * gain * _gain(inverse_groups[level](features), features)
        _set(deconvs[level], basis / undo, means)
    last = list(codec.h_s.children())[-1]
    assert isinstance(last, nn.ConvTranspose2d)
    last.weight.mul_(0.1)
    assert last.bias is not None
    last.bias.copy_(torch.cat([features.std((0, 2, 3)), features.mean((0, 2, 3))]))


def _principal_patches(features: Float[Tensor, "B C H W"], count: int) -> Float[Tensor, "count C 2 2"]:
    """The `count` principal components of 2 x 2 patches, orthonormal; zeros beyond the 4 C that there are."""
    _, C, H, W = features.shape
    patches = F.pixel_unshuffle(features[..., : H // 2 * 2, : W // 2 * 2], 2).movedim(1, -1).reshape(-1, 4 * C)
    _, vectors = torch.linalg.eigh((patches.T @ patches).double())
    basis = vectors.flip(1).T[:count].float()
    return F.pad(basis, (0, 0, 0, count - len(basis))).view(count, C, 2, 2)


def _set(layer: nn.Module, patches: Float[Tensor, "out in 2 2"], bias: Float[Tensor, " channels"]) -> None:
    """Make a padded (transposed) convolution of stride 2 one of 2 x 2 patches: the kernel's centre, right and below."""
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    assert layer.bias is not None
    before = layer.kernel_size[0] // 2
    after = layer.kernel_size[0] - 2 - before
    layer.weight.copy_(F.pad(patches, (before, after, before, after)))
    layer.bias.copy_(bias)


def _gain(out: Tensor, into: Tensor) -> float:
    """The factor by which a residual group, near its random start, scales what goes through it."""
    return float((out * into).sum() / (into * into).sum())
