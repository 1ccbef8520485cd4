"""Swin transformer groups that work at any height and width.

Feature maps travel as (B, C, H, W) in channels-last memory, so that turning them into (B, H, W, C) tokens is free.
"""

import functools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BIAS_BYTES = 64 << 20
"""Most memory on a GPU for one repeated bias of attention."""


def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 2) -> nn.Conv2d:
    """A convolution that maps a side of n pixels to ceil(n / stride)."""
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2)


def deconv(c_in: int, c_out: int, kernel: int = 3, stride: int = 2) -> nn.ConvTranspose2d:
    """A transposed convolution that maps a side of n pixels to n * stride."""
    return nn.ConvTranspose2d(c_in, c_out, kernel, stride, padding=kernel // 2, output_padding=stride - 1)


def drop_path(x: Float[Tensor, "B ..."], rate: float) -> Float[Tensor, "B ..."]:
    """Stochastic depth: zero whole samples with probability `rate`, scale the others to keep the mean."""
    keep = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(1 - rate)
    return x * keep / (1 - rate)


@functools.lru_cache(maxsize=64)
def attention_mask(
    height: int, width: int, window: int, shift_y: int, shift_x: int, device: torch.device
) -> Tensor | None:
    """The addend of attention scores in each window, (windows, window^2, window^2): 0, or -inf for hidden pairs.

    A map whose sides are not multiples of the window is padded below and to the right; shifted windows are made by
    rolling the map, which brings together pixels that are not neighbours. Pixels see each other only if they lie in
    the same shifted window of the unrolled map, and padding is seen by padding alone. None when nothing is hidden.
    A mask is made once on each device.
    """
    pad_y, pad_x = -height % window, -width % window
    if not (pad_y or pad_x or shift_y or shift_x):
        return None

    def areas(side: int, pad: int, shift: int) -> Tensor:
        area = torch.zeros(side + pad, device=device)
        if shift:
            area[:shift] = 1
        area[side:] = 2
        return area.roll(-shift)

    area = 3 * areas(height, pad_y, shift_y)[:, None] + areas(width, pad_x, shift_x)[None, :]
    windows = partition(area[None, :, :, None], window).squeeze(-1)
    strangers = windows[:, :, None] != windows[:, None, :]
    return torch.zeros(strangers.shape, device=device).masked_fill(strangers, float("-inf"))


def partition(x: Float[Tensor, "B H W C"], window: int) -> Float[Tensor, "windows tokens C"]:
    """Cut a map, whose sides are multiples of `window`, into windows of `window`^2 tokens."""
    B, H, W, C = x.shape
    x = x.view(B, H // window, window, W // window, window, C)
    return x.transpose(2, 3).reshape(-1, window * window, C)


def merge(windows: Float[Tensor, "windows tokens C"], window: int, H: int, W: int) -> Float[Tensor, "B H W C"]:
    """The inverse of `partition` for a map of H x W."""
    x = windows.view(-1, H // window, W // window, window, window, windows.shape[-1])
    return x.transpose(2, 3).reshape(-1, H, W, windows.shape[-1])


def attend(
    q: Float[Tensor, "n heads T d"],
    k: Float[Tensor, "n heads T d"],
    v: Float[Tensor, "n heads T d"],
    bias: Float[Tensor, "windows heads T T"],
    most_bytes: int | None = None,
) -> Float[Tensor, "n heads T d"]:
    """Attention in n windows, those of an image side by side, with scores to which `bias` is added.

    A bias of one window is that of all and takes no memory for each. One of several windows, those of an image, is
    repeated for each image, since attention takes no bias in two strides, for so many images at a time as `most_bytes`
    allow. They are `BIAS_BYTES` on a GPU, where it is kept for the backward pass (at half resolution of 12 images it
    has 0.4 GB), and without limit on the CPU.
    """
    n, windows = len(q), len(bias)
    if windows == 1:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(n, -1, -1, -1))
    images = n // windows
    if most_bytes is None and bias.device.type != "cpu":
        most_bytes = BIAS_BYTES
    most = images if most_bytes is None else max(1, most_bytes // (bias.numel() * bias.element_size()))
    several = bias.repeat(min(most, images), 1, 1, 1)
    parts = []
    for first in range(0, n, len(several)):
        some = slice(first, first + len(several))
        length = len(q[some])
        parts.append(F.scaled_dot_product_attention(q[some], k[some], v[some], attn_mask=several[:length]))
    return torch.cat(parts) if len(parts) > 1 else parts[0]


class WindowAttention(nn.Module):
    """Multi-head self-attention inside windows, with a learned bias for each relative position.

    Source: Liu et al., Swin Transformer (arXiv 2103.14030), section 3.2.
    """

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} channels cannot be shared by {heads} heads; dim must be a multiple of heads")
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.relative_bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
        at = torch.stack([y.flatten(), x.flatten()])
        offset = at[:, :, None] - at[:, None, :] + window - 1
        self.register_buffer("offset", offset[0] * (2 * window - 1) + offset[1], persistent=False)
        self.offset: Tensor

    def forward(self, x: Float[Tensor, "B H W C"]) -> Float[Tensor, "B H W C"]:
        _, H, W, C = x.shape
        window = self.window
        # A window that covers a whole side has nothing to shift along it (as in the public code at 256 x 256).
        shift_y = self.shift if window < H else 0
        shift_x = self.shift if window < W else 0
        pad_y, pad_x = -H % window, -W % window
        if pad_y or pad_x:
            x = F.pad(x, (0, 0, 0, pad_x, 0, pad_y))
        if shift_y or shift_x:
            x = x.roll((-shift_y, -shift_x), (1, 2))
        tokens = partition(x, window)

        n, T, _ = tokens.shape
        q, k, v = self.qkv(tokens).view(n, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.relative_bias[self.offset.flatten()].view(1, T, T, self.heads).permute(0, 3, 1, 2)
        # a compiler looks through the cache, and says so: it makes the mask a constant of its own
        make = attention_mask.__wrapped__ if torch.compiler.is_compiling() else attention_mask
        mask = make(H, W, window, shift_y, shift_x, x.device)
        if mask is not None:
            bias = bias + mask.to(bias.dtype)[:, None]
        tokens = attend(q, k, v, bias.to(q.dtype))
        tokens = self.proj(tokens.transpose(1, 2).reshape(n, T, C))

        x = merge(tokens, window, H + pad_y, W + pad_x)
        if shift_y or shift_x:
            x = x.roll((shift_y, shift_x), (1, 2))
        return x[:, :H, :W]


class SwinBlock(nn.Module):
    """Attention in windows, then an MLP on each token, both as residuals after layer normalisation."""

    def __init__(self, dim: int, heads: int, window: int, shift: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads, window, shift)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.drop_path = drop_path

    def _residual(self, x: Tensor) -> Tensor:
        return drop_path(x, self.drop_path) if self.training and self.drop_path else x

    def forward(self, x: Float[Tensor, "B H W C"]) -> Float[Tensor, "B H W C"]:
        x = x + self._residual(self.attention(self.norm1(x)))
        return x + self._residual(self.mlp(self.norm2(x)))


class RSTB(nn.Module):
    """Residual Swin transformer group: blocks with plain and shifted windows in turn, and a residual over all.

    Source: Lu et al., Transformer-based Image Compression (arXiv 2111.06707); the group here has no convolution.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        window: int,
        mlp_ratio: float = 2.0,
        drop_paths: tuple[float, ...] = (),
        shifted: bool = True,
    ) -> None:
        """Join blocks; with `shifted` False no window is ever shifted."""
        super().__init__()
        rates = drop_paths or (0.0,) * depth
        assert len(rates) == depth
        shift = window // 2 if shifted else 0
        self.blocks = nn.Sequential(
            *(SwinBlock(dim, heads, window, shift * (i % 2), mlp_ratio, rates[i]) for i in range(depth))
        )
        self.apply(_initialise)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x + self.blocks(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.relative_bias, std=0.02)
