"""TIC is the published network, and takes any image."""

import copy

import numpy as np
import pytest
import torch

from tfic.codec import build, names, version
from tfic.codec.bitstream import BitstreamError
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.layers import RSTB
from tfic.codec.tic import SIZES, TicSize, shifted_at_64, tic


def millions(module: torch.nn.Module) -> float:
    return round(sum(p.numel() for p in module.parameters()) / 1e6, 3)


def test_base_has_the_parameters_of_the_public_code_module_by_module() -> None:
    codec = build("tic-base")
    assert [millions(each) for each in (codec.g_a, codec.g_s, codec.h_a, codec.h_s)] == [2.739, 2.739, 0.902, 1.123]
    assert millions(codec) == 7.511


@pytest.mark.parametrize("size", SIZES)
def test_every_size_codes_an_odd_image(size: str) -> None:
    x = torch.rand(1, 3, 37, 50)
    result = build(f"tic-{size}").eval()(x)
    assert result.x_hat.shape == x.shape
    assert result.bits() > 0


def test_stochastic_depth_rises_to_its_maximum_once_and_falls_back_in_the_synthesis() -> None:
    codec = build("tic-base")
    rates = [block.drop_path for group in codec.g_a[1::2] for block in group.blocks]
    rates += [block.drop_path for group in codec.h_a[1::2] for block in group.blocks]
    assert rates == pytest.approx(torch.linspace(0, SIZES["base"].drop_path, 18).tolist())


def test_an_unknown_codec_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no codec 'tic-bse'; did you mean 'tic-base'"):
        build("tic-bse")


def earlier(codec: MeanScaleHyperprior) -> MeanScaleHyperprior:
    """The codec as versions before had it: at 1/64 the second block of h_a and of h_s shifted its windows."""
    before = copy.deepcopy(codec)
    before.h_s = shifted_at_64(before.h_s)
    before.h_a[-1].blocks[1].attention.shift = 2
    return before


@torch.no_grad()
def test_at_512_x_256_each_window_at_64_is_that_of_a_256_x_256_image() -> None:
    """The public code is built for 256 x 256, where one window covers the map at 1/64, so it never shifts there."""
    codec = build("tic-base").eval()
    x = torch.randn(1, 128, 8, 4)
    below = torch.cat([x[:, :, :4], torch.zeros(1, 128, 4, 4)], 2)
    for at_64 in (codec.h_a[-1], codec.h_s[0]):
        assert isinstance(at_64, RSTB)
        torch.testing.assert_close(at_64(x), torch.cat([at_64(x[:, :, :4]), at_64(x[:, :, 4:])], 2))
        at_64.blocks[1].attention.shift = 2
        assert not torch.allclose(at_64(x)[:, :, :4], at_64(below)[:, :, :4], atol=1e-3), "a shift would show"


def test_files_of_earlier_versions_decode_to_the_pixels_that_they_had(monkeypatch: pytest.MonkeyPatch) -> None:
    two_blocks = TicSize((4, 8, 8, 16), N=16, depths=(0, 0, 0, 0, 1, 2), heads=(4,) * 6, drop_path=0.0)
    monkeypatch.setitem(SIZES, "two-blocks", two_blocks)
    torch.manual_seed(0)
    base = tic("two-blocks").eval()
    with torch.no_grad():  # as wide as trained latents, and scales that differ from place to place
        base.g_a[-2].weight.mul_(10)
        base.h_a[-2].weight.mul_(10)
        base.h_s[-1].weight.mul_(30)
    base.update()
    before = earlier(base)
    rng = np.random.default_rng(0)
    small, large = (rng.integers(0, 256, (height, 256, 3), dtype=np.uint8) for height in (256, 512))
    assert before.fingerprint == base.fingerprint
    assert before.encode(small) == base.encode(small)
    old, new = before.encode(large), base.encode(large)
    assert old != new
    assert np.array_equal(np.asarray(base.decode(old)), np.asarray(before.decode(old)))
    with pytest.raises(BitstreamError, match="computes other scales"):
        before.decode(new)


def test_only_what_meets_larger_images_has_another_version() -> None:
    assert [version(name, 256) for name in names()] == [1] * len(names())
    assert {name for name in names() if version(name, 257) == 2} == {"tic-medium", "tic-base"}
    assert {size for size, made in SIZES.items() if made.depths[-1] > 1} == {"medium", "base"}
