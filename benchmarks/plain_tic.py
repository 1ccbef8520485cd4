"""TIC as it is usually written, in float32: what the speed of `tfic.codec.layers` is measured against.

Contiguous (B, L, C) tokens, windows cut by copying, attention written out, masks made anew in each forward pass, NCHW
convolutions. It has the parameters of `tfic.codec.tic` under the same names, so either loads the other's weights.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.tic import SIZES


def window_partition(x: Tensor, window: int) -> Tensor:
    """(B, H, W, C) to (windows, window^2, C)."""
    B, H, W, C = x.shape
    x = x.view(B, H // window, window, W // window, window, C)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window * window, C)


def window_reverse(windows: Tensor, window: int, H: int, W: int) -> Tensor:
    """(windows, window^2, C) to (B, H, W, C)."""
    x = windows.view(-1, H // window, W // window, window, window, windows.shape[-1])
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, H, W, windows.shape[-1])


def shifted_mask(H: int, W: int, window: int, shift: tuple[int, int]) -> Tensor:
    """(windows, window^2, window^2): 0 within an area of the unrolled, unpadded map, -100 between two areas."""
    areas = torch.zeros(1, H + -H % window, W + -W % window, 1)
    for sides, size, dim, weight in ((shift[0], H, 1, 3), (shift[1], W, 2, 1)):
        areas.narrow(dim, 0, sides).add_(weight)
        areas.narrow(dim, size, areas.shape[dim] - size).add_(2 * weight)
    windows = window_partition(areas.roll((-shift[0], -shift[1]), (1, 2)), window).squeeze(-1)
    difference = windows[:, None, :] - windows[:, :, None]
    return difference.masked_fill(difference != 0, -100.0)


class WindowAttention(nn.Module):
    """Multi-head self-attention in windows with a relative position bias, step by step."""

    offset: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.relative_bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        relative = at[:, :, None] - at[:, None, :] + window - 1
        self.register_buffer("offset", relative[0] * (2 * window - 1) + relative[1], persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        n, T, C = x.shape
        q, k, v = self.qkv(x).reshape(n, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * self.scale) @ k.transpose(-2, -1)
        bias = self.relative_bias[self.offset.view(-1)].view(T, T, self.heads).permute(2, 0, 1).contiguous()
        scores = scores + bias[None]
        if mask is not None:
            scores = scores.view(-1, len(mask), self.heads, T, T) + mask[None, :, None]
            scores = scores.view(n, self.heads, T, T)
        x = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, T, C)
        return self.proj(x)


class DropPath(nn.Module):
    """Stochastic depth."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        return x * torch.empty(len(x), 1, 1).bernoulli_(1 - self.rate) / (1 - self.rate)


class SwinBlock(nn.Module):
    """Window attention and an MLP on (B, H * W, C) tokens."""

    def __init__(self, dim: int, heads: int, window: int, shift: int, mlp_ratio: float, rate: float) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads, window)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.drop_path = DropPath(rate)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        (H, W), (B, L, C) = size, x.shape
        shortcut = x
        x = F.pad(self.norm1(x).view(B, H, W, C), (0, 0, 0, -W % self.window, 0, -H % self.window))
        padded_H, padded_W = x.shape[1:3]
        shift = (self.shift if self.window < H else 0, self.shift if self.window < W else 0)
        if any(shift):
            x = torch.roll(x, (-shift[0], -shift[1]), (1, 2))
        masked = any(shift) or (padded_H, padded_W) != (H, W)
        mask = shifted_mask(H, W, self.window, shift) if masked else None
        windows = self.attention(window_partition(x, self.window), mask)
        x = window_reverse(windows, self.window, padded_H, padded_W)
        if any(shift):
            x = torch.roll(x, shift, (1, 2))
        x = x[:, :H, :W].contiguous().view(B, L, C)
        x = shortcut + self.drop_path(x)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class RSTB(nn.Module):
    """A residual group of blocks between flattening and unflattening the map."""

    def __init__(self, dim: int, heads: int, window: int, mlp_ratio: float, rates: list[float]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinBlock(dim, heads, window, window // 2 if i % 2 else 0, mlp_ratio, rate) for i, rate in enumerate(rates)
        )

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        tokens = x.flatten(2).transpose(1, 2).contiguous()
        for block in self.blocks:
            tokens = block(tokens, (H, W))
        return x + tokens.transpose(1, 2).contiguous().view(B, C, H, W)


def plain_tic(size: str) -> MeanScaleHyperprior:
    """An untrained plain TIC of a size in `tfic.codec.tic.SIZES`."""
    s = SIZES[size]
    rates = torch.linspace(0, s.drop_path, sum(s.depths)).tolist()
    (A, B, C, M), N = s.channels, s.N

    def conv(c_in: int, c_out: int, kernel: int = 3) -> nn.Module:
        return nn.Conv2d(c_in, c_out, kernel, stride=2, padding=kernel // 2)

    def deconv(c_in: int, c_out: int, kernel: int = 3) -> nn.Module:
        return nn.ConvTranspose2d(c_in, c_out, kernel, stride=2, padding=kernel // 2, output_padding=1)

    def groups(depths: tuple[int, ...]) -> list[list[float]]:
        return [rates[sum(depths[:i]) : sum(depths[: i + 1])] for i in range(len(depths))]

    def group(dim: int, scale: int, rates: list[float]) -> nn.Module:
        return nn.Identity() if not rates else RSTB(dim, s.heads[scale], s.windows[scale], s.mlp_ratio, rates)

    down, up = groups(s.depths), groups(s.depths[::-1])
    return MeanScaleHyperprior(
        g_a=nn.Sequential(
            conv(3, A, 5), group(A, 0, down[0]), conv(A, B), group(B, 1, down[1]),
            conv(B, C), group(C, 2, down[2]), conv(C, M), group(M, 3, down[3]),
        ),
        g_s=nn.Sequential(
            group(M, 3, up[2]), deconv(M, C), group(C, 2, up[3]), deconv(C, B),
            group(B, 1, up[4]), deconv(B, A), group(A, 0, up[5]), deconv(A, 3, 5),
        ),
        h_a=nn.Sequential(conv(M, N), group(N, 4, down[4]), conv(N, N), group(N, 5, down[5])),
        h_s=nn.Sequential(group(N, 5, up[0]), deconv(N, N), group(N, 4, up[1]), deconv(N, 2 * M)),
        z_channels=N,
        y_stride=16,
    )  # fmt: skip
