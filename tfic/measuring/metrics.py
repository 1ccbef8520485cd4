"""The measures of a codec: the accuracy of reading its images, and their likeness to the originals."""

import math

import numpy as np
import torch
from pytorch_msssim import ms_ssim as _ms_ssim
from rapidfuzz.distance import Levenshtein

from tfic.pages.lines import normalise

MS_SSIM_MIN_SIDE_PX = 161
"""Smallest side for which MS-SSIM's five scales and 11-pixel window are defined."""


def accuracy(truth: str, read: str) -> float:
    """`1 - lev(truth, read) / max(|truth|, |read|)` of the normalised texts, in [0, 1]; two empty texts agree (1).

    Source: the accuracy of the TFIC slides (EUSIPCO 2025).
    """
    return Levenshtein.normalized_similarity(normalise(truth), normalise(read))


def cer(truth: str, read: str) -> float:
    """Character error rate, `lev(truth, read) / |truth|` of the normalised texts; above 1 when much is invented.

    With an empty truth it is 0 for an empty reading and infinite for any other.
    """
    truth, read = normalise(truth), normalise(read)
    errors = Levenshtein.distance(truth, read)
    if not truth:
        return math.inf if errors else 0.0
    return errors / len(truth)


def word_accuracy(truth: str, read: str) -> float:
    """`1 - lev / max(words of truth, words read)`, with the distance in whole words; a line break parts words too."""
    return Levenshtein.normalized_similarity(normalise(truth).split(), normalise(read).split())


def psnr_db(x: np.ndarray, x_hat: np.ndarray, where: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio of two uint8 images in dB: `10 log10(255^2 / MSE)`; inf when they are equal.

    Args:
        x: (H, W, 3) uint8.
        x_hat: (H, W, 3) uint8.
        where: (H, W) bool, the pixels that count; nan when there are none.
    """
    if x.shape != x_hat.shape:
        raise ValueError(f"the images have shapes {x.shape} and {x_hat.shape}; PSNR wants the same")
    error = (x.astype(np.float64) - x_hat.astype(np.float64)) ** 2
    if where is not None:
        error = error[where]
    if not error.size:
        return math.nan
    mse = float(error.mean())
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def ms_ssim(x: np.ndarray, x_hat: np.ndarray) -> float:
    """Multi-scale structural similarity of two (H, W, 3) uint8 images; nan for a side below 161 pixels.

    Source: Wang, Simoncelli and Bovik, Multi-scale structural similarity (2003), as implemented by pytorch-msssim.
    """
    if min(x.shape[:2]) < MS_SSIM_MIN_SIDE_PX:
        return math.nan
    a, b = (torch.from_numpy(np.array(each)).permute(2, 0, 1)[None].float() for each in (x, x_hat))
    return float(_ms_ssim(a, b, data_range=255))
