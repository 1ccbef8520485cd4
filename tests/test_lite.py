"""Lite is cheap where a device pays and codes any size."""

import pytest
import torch
from made_files import ready_codec

from tfic.codec import build
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.lite import Block, Down, Up


@pytest.fixture(scope="module")
def codec() -> MeanScaleHyperprior:
    codec = ready_codec("lite")
    assert isinstance(codec, MeanScaleHyperprior)
    return codec


def parameters(module: torch.nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_the_encoder_is_the_smaller_half(codec: MeanScaleHyperprior) -> None:
    assert 2 * parameters(codec.g_a) < parameters(codec.g_s)
    assert parameters(codec) < 2_000_000


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 9), (128, 32), (100, 131)])
@torch.no_grad()
def test_any_size_is_coded_and_decoded_to_the_evaluation_forward_pass(
    codec: MeanScaleHyperprior, size: tuple[int, int]
) -> None:
    x = torch.rand(1, 3, *size)
    assert torch.equal(codec.decode_tensor(codec.encode(x[0])), codec(x).x_hat[0].clamp(0, 1))


@torch.no_grad()
def test_edges_are_continued_so_that_what_is_cut_off_again_decides_nothing() -> None:
    torch.manual_seed(0)
    down = Down(3, 5, 4)
    x = torch.rand(1, 3, 10, 7)
    continued = torch.nn.functional.pad(x, (0, 1, 0, 2), mode="replicate")
    assert torch.equal(down(x), down(continued))
    assert down(x).shape == (1, 5, 3, 2)


@torch.no_grad()
def test_a_block_starts_as_the_identity_and_up_undoes_the_size_of_down() -> None:
    x = torch.rand(2, 6, 8, 12)
    assert torch.equal(Block(6)(x), x)
    assert Up(5, 3, 4)(Down(6, 5, 4)(x)).shape == (2, 3, 8, 12)


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    codec = build("lite").train()
    for module in codec.modules():
        if isinstance(module, Block):
            torch.nn.init.normal_(module.narrow.weight, std=0.01)  # an identity hides what lies before it
    result = codec(torch.rand(2, 3, 64, 64))
    (result.bits() / 8192 + result.x_hat.square().mean()).backward()
    trained = {name: each for name, each in codec.named_parameters() if each.requires_grad}
    silent = [name for name, each in trained.items() if each.grad is None or not each.grad.abs().sum()]
    assert not silent
