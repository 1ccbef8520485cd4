"""The laws of coding: what is noisy costs no less than what is rounded, and bytes cost what likelihoods promise."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tfic.codec.entropy import SCALES, Gaussians, LatentCoder
from tfic.codec.latent_stream import LatentReader

SHAPE = (1, 16, 24, 24)


@pytest.fixture(scope="module")
def coder() -> LatentCoder:
    torch.manual_seed(0)
    coder = LatentCoder(z_channels=4).eval()
    coder.update()
    return coder


def latents(seed: int) -> tuple[Tensor, Tensor, Gaussians]:
    """z, and y drawn from the very Gaussians that it is coded with: scales from 0.2 to 20."""
    torch.manual_seed(seed)
    scales = torch.exp(torch.empty(SHAPE).uniform_(-1.6, 3.0))
    means = torch.randn(SHAPE)
    return 3 * torch.randn(1, 4, 6, 6), means + scales * torch.randn(SHAPE), Gaussians(scales.double(), means)


@torch.no_grad()
def bits(coder: LatentCoder, z: Tensor, y: Tensor, gaussians: Gaussians) -> float:
    likelihoods = (coder.z_likelihoods(z)[1], coder.y_likelihoods(y, gaussians.scales.float(), gaussians.means)[1])
    return float(sum(-each.log2().sum() for each in likelihoods))


def symbols(coder: LatentCoder, z: Tensor, y: Tensor, gaussians: Gaussians) -> tuple[Tensor, Tensor]:
    return coder.z_symbols(z), (y - gaussians.means).round().int()


def test_symbols_come_back_from_the_stream_z_first(coder: LatentCoder) -> None:
    z, y, gaussians = latents(0)
    z_symbols, y_symbols = symbols(coder, z, y, gaussians)
    reader = LatentReader(coder.encode(z_symbols, y_symbols, gaussians))
    assert torch.equal(coder.read_z(reader, (1, 4, 6, 6)), z_symbols)
    assert torch.equal(coder.read_y(reader, gaussians), y_symbols)


def test_coded_bits_are_the_estimate_within_one_percent_and_the_end_of_the_stream(coder: LatentCoder) -> None:
    z, y, gaussians = latents(1)
    estimated = bits(coder, z, y, gaussians)
    coded = coder.encode(*symbols(coder, z, y, gaussians), gaussians)
    assert estimated > 20_000, "too few bits to say anything about one percent"
    assert 0.99 * estimated <= 8 * len(coded.stream) <= 1.01 * estimated + 64


def test_a_stream_is_no_longer_than_compressai_s_for_the_same_symbols(coder: LatentCoder) -> None:
    from compressai.ans import BufferedRansEncoder  # not above: tfic imports CompressAI without its warnings

    for seed in range(5):
        z, y, gaussians = latents(seed)
        z_symbols, y_symbols = symbols(coder, z, y, gaussians)
        encoder = BufferedRansEncoder()
        channels = torch.arange(4, dtype=torch.int32).view(1, -1, 1, 1).expand(z.shape)
        for values, indexes, model in (
            (z_symbols, channels, coder.entropy_bottleneck),
            (y_symbols, gaussians.indexes(), coder.gaussian_conditional),
        ):
            tables = (model.quantized_cdf.tolist(), model.cdf_length.tolist(), model.offset.tolist())
            encoder.encode_with_indexes(values.flatten().tolist(), indexes.flatten().tolist(), *tables)
        assert len(coder.encode(z_symbols, y_symbols, gaussians).stream) <= len(encoder.flush())


def test_bits_with_noise_are_at_least_the_bits_of_rounded_latents(coder: LatentCoder) -> None:
    for seed in range(5):
        z, y, gaussians = latents(seed)
        rounded = bits(coder, z, y, gaussians)
        noisy = bits(coder.train(), z, y, gaussians)
        coder.eval()
        assert noisy >= rounded


def test_straight_through_training_shows_rounded_latents_and_lets_gradients_pass(coder: LatentCoder) -> None:
    y = torch.randn(SHAPE, requires_grad=True)
    means = torch.randn(SHAPE)
    y_hat, _ = coder.train().y_likelihoods(y, torch.ones(SHAPE), means, straight_through=True)
    coder.eval()
    torch.testing.assert_close(y_hat, (y - means).round() + means)
    (gradient,) = torch.autograd.grad(y_hat.sum(), y)
    assert torch.equal(gradient, torch.ones_like(y))


def test_a_scale_index_is_compressai_s_own_off_the_limits_between_two(coder: LatentCoder) -> None:
    limits = torch.tensor(SCALES)
    scales = torch.cat([limits * (1 - 1e-5), limits * (1 + 1e-5), torch.empty(5000).uniform_(-1, 300)]).view(
        1, 1, 1, -1
    )
    ours = Gaussians(scales.double(), torch.zeros_like(scales)).indexes()
    assert torch.equal(ours.int(), coder.gaussian_conditional.build_indexes(scales))
    assert np.diff(SCALES).min() > 0
