"""A KLT start is a codec that works before its first step."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tfic.codec import build
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.klt import start_from_klt, step_size
from tfic.codec.tic import SIZES
from tfic.synth import draw
from tfic.training import losses


def images(count: int) -> torch.Tensor:
    pages = [torch.from_numpy(draw(0, "train", i).image.copy()) for i in range(count)]
    return torch.stack(pages).permute(0, 3, 1, 2).float() / 255


def test_the_step_size_is_where_the_high_rate_loss_is_least() -> None:
    def loss(step: float) -> float:
        return 0.01 * 255**2 * step**2 / 12 - 3 * math.log2(step)

    best = step_size(0.01)
    assert loss(best) < min(loss(best * 1.01), loss(best / 1.01))


@pytest.mark.parametrize("name", ["tic-tiny", "tic-small", "lite"])
def test_it_codes_images_it_has_not_seen_and_lambda_sets_the_trade(name: str) -> None:
    x, unseen = images(16), images(20)[16:]
    psnr, bpp = [], []
    for lmbda in (0.003, 0.03):
        torch.manual_seed(0)
        codec = build(name).eval()
        with torch.no_grad():
            random = float(((codec(unseen).x_hat - unseen) ** 2).mean())
            start_from_klt(codec, x, lmbda)
            result = codec(unseen)
        mse = float(((result.x_hat - unseen) ** 2).mean())
        assert mse < random / 20
        psnr.append(-10 * math.log10(mse))
        bpp.append(float(losses.rate(result.bits(), unseen)))
    assert psnr[0] > 21
    assert psnr[1] > psnr[0] + 1
    assert bpp[1] > bpp[0]


def test_without_rounding_what_is_kept_of_an_image_is_its_principal_components() -> None:
    """Smooth images need few components, so the linear transform alone gives them back."""
    y, x_at = torch.meshgrid(torch.linspace(0, 3, 64), torch.linspace(0, 3, 64), indexing="ij")
    smooth = torch.stack([torch.sin(y + k) * torch.cos(x_at * (1 + k / 8)) / 3 + 0.5 for k in range(8)])
    x = smooth[:, None].expand(-1, 3, -1, -1).contiguous()
    torch.manual_seed(0)
    codec = build("tic-tiny").eval()
    start_from_klt(codec, x, 0.01)
    with torch.no_grad():
        x_hat = codec.g_s(codec.g_a(x))
    inner = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    assert float(((x_hat - x)[inner] ** 2).mean()) < 1e-3
    assert SIZES["tiny"].channels[3] == codec.g_a(x).shape[1]


@pytest.mark.parametrize(
    ("transform", "layers", "words"),
    [
        ("g_a", lambda old: [nn.ReLU(), *old[1:]], r"g_a has ReLU\(\) where a KLT start needs a Conv2d or Down"),
        ("g_s", lambda old: [*old[:-1], nn.Conv2d(3, 3, 1)], "g_s has Conv2d.* needs a ConvTranspose2d or Up"),
        ("h_s", lambda old: [*old, nn.ReLU()], r"h_s has ReLU\(\) where"),
        ("g_a", lambda old: [*old, nn.Conv2d(128, 128, 1)], "g_a has 5 layers and g_s has 4"),
    ],
)
def test_a_codec_of_other_layers_is_refused_by_the_name_of_the_layer(
    transform: str, layers: Callable[[list[nn.Module]], list[nn.Module]], words: str
) -> None:
    codec = build("lite").eval()
    assert isinstance(codec, MeanScaleHyperprior)
    setattr(codec, transform, nn.Sequential(*layers(list(getattr(codec, transform).children()))))
    before = codec.fingerprint
    with pytest.raises(ValueError, match=words):
        start_from_klt(codec, torch.rand(1, 3, 64, 64), 0.01)
    assert codec.fingerprint == before
