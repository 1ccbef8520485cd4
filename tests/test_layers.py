"""Windows and masks are right at any size."""

import pytest
import torch

from tfic.codec.layers import RSTB, WindowAttention, attend, attention_mask, conv, deconv, drop_path, merge, partition


def test_merge_undoes_partition() -> None:
    x = torch.arange(2 * 8 * 12 * 3).view(2, 8, 12, 3).float()
    assert torch.equal(merge(partition(x, 4), 4, 8, 12), x)


def test_a_map_of_whole_windows_needs_no_mask_until_it_is_shifted() -> None:
    assert attention_mask(16, 8, 8, 0, 0, torch.device("cpu")) is None
    assert attention_mask(16, 16, 8, 4, 4, torch.device("cpu")) is not None


@pytest.mark.parametrize("side", [9, 16, 20])
@pytest.mark.parametrize("shift", [0, 4])
def test_attention_equals_attention_over_neighbours_written_out(side: int, shift: int) -> None:
    """The oracle: each position attends to those whose shifted window is its own, with no padding and no rolling."""
    torch.manual_seed(0)
    attention = WindowAttention(dim=6, heads=2, window=8, shift=shift)
    torch.nn.init.normal_(attention.relative_bias)
    x = torch.randn(1, side, side, 6)
    window_of = torch.div(torch.arange(side) - shift, 8, rounding_mode="floor")
    q, k, v = attention.qkv(x[0]).view(side * side, 3, 2, 3).permute(1, 2, 0, 3)
    y, x_at = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    at = torch.stack([y.flatten(), x_at.flatten()], 1)
    same = (window_of[at][:, None] == window_of[at][None]).all(-1)
    offset = (at[:, None] - at[None] + 7).clamp(0, 14)
    bias = attention.relative_bias[offset[..., 0] * 15 + offset[..., 1]].permute(2, 0, 1)
    scores = (q @ k.transpose(1, 2)) / 3**0.5 + bias
    scores = scores.masked_fill(~same, float("-inf"))
    expected = attention.proj((scores.softmax(-1) @ v).transpose(0, 1).reshape(side, side, 6))
    torch.testing.assert_close(attention(x)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("images_at_a_time", [1, 2, 4])
def test_a_bias_that_is_repeated_for_a_few_images_at_a_time_is_that_of_all(images_at_a_time: int) -> None:
    """As on a GPU, of five images: the last go alone."""
    torch.manual_seed(0)
    images, windows, heads, tokens = 5, 3, 2, 4
    given = [torch.randn(images * windows, heads, tokens, 8) for _ in range(3)] + [torch.randn(windows, heads, 4, 4)]
    found = []
    for most_bytes in (None, images_at_a_time * given[3].nbytes + 1):
        q, k, v, bias = (each.clone().requires_grad_() for each in given)
        out = attend(q, k, v, bias, most_bytes)
        out.square().sum().backward()
        found.append([out, q.grad, k.grad, v.grad, bias.grad])
    for one, several in zip(*found, strict=True):
        torch.testing.assert_close(several, one)
    scores = given[0][7] @ given[1][7].transpose(1, 2) / 8**0.5 + given[3][1]  # image 2, window 1
    torch.testing.assert_close(found[1][0][7], scores.softmax(-1) @ given[2][7])


def test_an_image_in_a_batch_is_treated_as_alone() -> None:
    torch.manual_seed(0)
    group = RSTB(dim=8, depth=2, heads=2, window=4).eval()
    x = torch.randn(3, 8, 10, 7)
    torch.testing.assert_close(group(x)[1:2], group(x[1:2]))


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="6 channels cannot be shared by 4 heads"):
        WindowAttention(dim=6, heads=4, window=8, shift=0)


@pytest.mark.parametrize("side", [1, 2, 5, 16])
def test_convolutions_halve_rounding_up_and_double(side: int) -> None:
    x = torch.zeros(1, 1, side, side)
    for kernel in (3, 5):
        assert conv(1, 1, kernel)(x).shape[-1] == -(-side // 2)
        assert deconv(1, 1, kernel)(x).shape[-1] == 2 * side


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = drop_path(torch.ones(4000, 3), 0.25)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (dropped.std(1) == 0).all()
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
