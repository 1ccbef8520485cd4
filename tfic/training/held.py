"""A training set whose pixels lie on the GPU that trains: a crop is one gather there, and no pixel travels in a step.

A set of images of one size goes there once, as bytes: 3.7 GiB for 20,000 pages of 256 x 256 pixels. Where images differ
in size, or the GPU has no room beside the training, crops are cut on the host. The pixels are the same to the bit.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from tfic.config import Config
from tfic.pages.lines import Page
from tfic.system import devices
from tfic.training import distributed, memory

CHUNK_BYTES = 64 << 20
"""Bytes of images that are sent at a time."""


class Held:
    """The pixels of a training set on a device."""

    def __init__(self, pages: Sequence[Page], device: torch.device) -> None:
        """Send the images of `pages`, which are of one size."""
        height, width = pages[0].size_px
        self._pixels: UInt8[Tensor, "N H W 3"] = torch.empty(
            (len(pages), height, width, 3), dtype=torch.uint8, device=device
        )
        step = max(1, CHUNK_BYTES // (3 * height * width))
        for first in range(0, len(pages), step):
            some = [pages[i].image for i in range(first, min(first + step, len(pages)))]
            self._pixels[first : first + step].copy_(torch.from_numpy(np.stack(some)))

    def crops(self, places: Int[Tensor, "b 3"], size_px: tuple[int, int]) -> Float[Tensor, "b 3 h w"]:
        """Crops in [0, 1] of that height and width.

        Args:
            places: page, top and left of each, on the host.
            size_px: height and width; what lies beyond a page is continued by its edge pixels.
        """
        _, H, W, _ = self._pixels.shape
        device = self._pixels.device
        page, top, left = devices.send(places, device).unbind(1)
        if size_px == (H, W):
            pixels = self._pixels.index_select(0, page)
        else:
            rows = (top[:, None] + torch.arange(size_px[0], device=device)).clamp_max(H - 1)
            columns = (left[:, None] + torch.arange(size_px[1], device=device)).clamp_max(W - 1)
            pixels = self._pixels[page[:, None, None], rows[:, :, None], columns[:, None, :]]
        return pixels.permute(0, 3, 1, 2).float() / 255


def held(config: Config, pages: Sequence[Page], stage: int, device: torch.device) -> Held | None:
    """The set of stage 1 or 2 on a device; None on the CPU, and where crops are better cut there."""
    if device.type == "cpu" or not is_worth_it(config, pages, stage, devices.room_bytes(device)):
        return None
    return Held(pages, device)


def is_worth_it(config: Config, pages: Sequence[Page], stage: int, room_bytes: float) -> bool:
    """Return True when a device with so much room is to hold a training set.

    It is not for images of several sizes, for a stage that takes fewer crops than there are images, and where the set
    and what the training itself is estimated to need (`tfic.training.memory`) are more than there is.
    """
    train = config.train
    steps, batch = (train.pretrain_steps, train.batch) if stage == 1 else (train.finetune_steps, train.finetune_batch)
    sizes = {page.size_px for page in pages}
    if len(sizes) > 1 or steps * batch < len(pages):
        return False
    ((height, width),) = sizes
    pixels = memory.set_bytes(len(pages), height, width)
    needed = memory.training_bytes(config.codec, train, stage, distributed.world())
    return pixels + (pixels if needed is None else needed) <= room_bytes  # of a codec never counted at most half
