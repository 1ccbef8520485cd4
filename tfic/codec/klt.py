"""A start for training: the codec as the best linear transform coder of its own images.

Layers that shrink get the Karhunen-Loeve transform of the patches that they cover, those that enlarge its inverse,
y the step size that high-rate theory wants for lambda, and the hyper synthesis the width of each channel of y.
Training then begins with a codec that works. From random weights a short training spends its steps on finding a
transform at all (figures in LOG.md).

Sources: Goyal, Theoretical foundations of transform coding (IEEE SPM 2001) for the transform and the step size; that
the start of a deep codec from it is ours.
"""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.lite import Down, Up

_KNOWN: dict[str, tuple[type[nn.Module], ...]] = {
    "g_a": (nn.Conv2d, Down),
    "g_s": (nn.ConvTranspose2d, Up),
    "h_s": (nn.Conv2d, nn.ConvTranspose2d),
}
"""The kinds of layers that are set, by the transform that they are in."""


def step_size(lmbda: float) -> float:
    """Quantiser step, in pixel values of [0, 1], at which `lmbda * 255^2 * MSE + bpp` is least at high rate.

    A uniform quantiser of step s errs by D = s^2 / 12; three components a pixel cost 3 * (-log2(D) / 2) bits and a
    constant, so the loss is least where lmbda * 255^2 = 3 / (2 ln 2 D).
    """
    return math.sqrt(12 * 3 / (2 * math.log(2) * lmbda * 255**2))


@torch.no_grad()
def start_from_klt(codec: MeanScaleHyperprior, x: Float[Tensor, "B 3 H W"], lmbda: float) -> None:
    """Set the weights of a codec whose g_a alternates layers that shrink and groups, and whose g_s mirrors it.

    Args:
        codec: a TIC or lite.
        x: images of the kind it will be trained on, in [0, 1]; a few dozen do.
        lmbda: weight of distortion that it will be trained for.

    Raises:
        ValueError: for a codec of other layers; names the first of them. Its weights are untouched then.
    """
    analysis, synthesis = list(codec.g_a.children()), list(codec.g_s.children())[::-1]
    downs, groups = analysis[0::2], analysis[1::2]
    ups, inverse_groups = synthesis[0::2], synthesis[1::2]
    last = list(codec.h_s.children())[-1]
    _check_layers({"g_a": downs, "g_s": ups, "h_s": [last]})
    _check_mirrored(analysis, synthesis)
    assert isinstance(last, (nn.Conv2d, nn.ConvTranspose2d))
    features, scale = x, 1.0  # scale: of the features, against an orthonormal transform of the pixels
    for depth, (down, group) in enumerate(zip(downs, groups, strict=True)):
        means = features.mean((0, 2, 3))
        basis = _principal_patches(features - means.view(1, -1, 1, 1), *_shape(down))
        offset = -basis.sum((-2, -1)) @ means
        stretch = 1.0
        if depth == len(downs) - 1:  # y's quantiser has step 1, behind the last group
            _set(down, basis, offset)
            transformed = down(features)
            stretch = 1 / (scale * _gain(group(transformed), transformed) * step_size(lmbda))
        _set(down, stretch * basis, stretch * offset)
        transformed = down(features)
        features = group(transformed)
        gain = _gain(features, transformed)
        scale *= stretch * gain
        undo = stretch * gain * _gain(inverse_groups[depth](features), features)
        _set(ups[depth], basis / undo, means)
    last.weight.mul_(0.1)
    assert last.bias is not None
    last.bias.copy_(torch.cat([features.std((0, 2, 3)), features.mean((0, 2, 3))]))


def _check_layers(found: Mapping[str, Sequence[nn.Module]]) -> None:
    """Raise ValueError unless the layers of each transform, by its name, are of the kinds that can be started."""
    for transform, layers in found.items():
        for layer in layers:
            if not isinstance(layer, _KNOWN[transform]):
                names = " or ".join(each.__name__ for each in _KNOWN[transform])
                raise ValueError(f"{transform} has {layer!r} where a KLT start needs a {names}")


def _check_mirrored(analysis: Sequence[nn.Module], synthesis: Sequence[nn.Module]) -> None:
    """Raise ValueError unless both alternate layers and groups, as many as the other."""
    if len(analysis) % 2 or len(analysis) != len(synthesis):
        raise ValueError(
            f"g_a has {len(analysis)} layers and g_s has {len(synthesis)}; a KLT start needs pairs of a layer that "
            "changes the size and a group, as many in g_s as in g_a"
        )


def _shape(down: nn.Module) -> tuple[int, int]:
    """Output channels of a layer that shrinks, and the side of the patches it is given the transform of."""
    conv = down.conv if isinstance(down, Down) else down
    assert isinstance(conv, nn.Conv2d)
    return conv.out_channels, conv.stride[0]


def _principal_patches(features: Float[Tensor, "B C H W"], count: int, side: int) -> Float[Tensor, "count C p p"]:
    """The `count` principal components of patches, orthonormal; zeros beyond the side^2 C that there are."""
    _, C, H, W = features.shape
    whole = features[..., : H // side * side, : W // side * side]
    patches = F.pixel_unshuffle(whole, side).movedim(1, -1).reshape(-1, side**2 * C)
    _, vectors = torch.linalg.eigh((patches.T @ patches).double())
    basis = vectors.flip(1).T[:count].float()
    return F.pad(basis, (0, 0, 0, count - len(basis))).view(count, C, side, side)


def _set(layer: nn.Module, patches: Float[Tensor, "count C p p"], bias: Float[Tensor, " channels"]) -> None:
    """Make a layer one of patches that do not overlap: a wider kernel is zero beyond them."""
    if isinstance(layer, Up):  # pixel_shuffle takes the pixels of a patch from channels that follow each other
        centre = patches.permute(1, 2, 3, 0).reshape(-1, len(patches), 1, 1)
        layer.conv.weight.copy_(F.pad(centre, (1, 1, 1, 1)))
        assert layer.conv.bias is not None
        layer.conv.bias.copy_(bias.repeat_interleave(layer.side**2))
        return
    conv = layer.conv if isinstance(layer, Down) else layer
    assert isinstance(conv, (nn.Conv2d, nn.ConvTranspose2d))
    assert conv.bias is not None
    beyond = conv.kernel_size[0] - patches.shape[-1]
    before = (beyond + 1) // 2  # the kernel's centre and right of it
    conv.weight.copy_(F.pad(patches, (before, beyond - before, before, beyond - before)))
    conv.bias.copy_(bias)


def _gain(out: Tensor, into: Tensor) -> float:
    """The factor by which a residual group, near its random start, scales what goes through it."""
    return float((out * into).sum() / (into * into).sum())
