"""TIC is the published network, and takes any image."""

import pytest
import torch

from tfic.codec import build
from tfic.codec.tic import SIZES


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
    with pytest.raises(ValueError, match="unknown key 'tic-bse'; did you mean 'tic-base'"):
        build("tic-bse")
