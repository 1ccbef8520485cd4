"""Learned codecs: any of them by its name.

Nothing here imports torch before a codec is built, because programs without torch (`tfic.onnx_encoder`) also use the
modules that write and read streams (`latent_stream`, `bitstream`).
"""

from typing import TYPE_CHECKING

from tfic.codec.compressai_widths import WIDTHS
from tfic.strict import unknown_name
from tfic.system.extras import explained

if TYPE_CHECKING:
    from tfic.codec.image_codec import ImageCodec


VARIABLE_RATE = ("lite-vbr",)
"""The codecs that one set of weights serves at any quality."""
LMBDA_MIDDLE = 0.0032
"""lambda of their quality 50 (`tfic.codec.quality`)."""


def names() -> list[str]:
    """The names that `build` takes."""
    from tfic.codec.tic import SIZES

    return [*(f"tic-{size}" for size in SIZES), "lite", "lite-vbr", *WIDTHS]


def version(name: str, side_px: float) -> int:
    """Version of what a codec's weights compute in images of sides up to `side_px`; part of a trial's key from 2 on.

    2: the windows of TIC at 1/64 are not shifted any more, which shows where a side exceeds 256 pixels and a group has
    two blocks.
    """
    return 2 if name in ("tic-medium", "tic-base") and side_px > 256 else 1


def build(name: str) -> "ImageCodec":
    """An untrained codec, in float32.

    Raises:
        ValueError: when no codec has that name; the nearest is named.
        ModuleNotFoundError: without the extra `codec`.
    """
    with explained():
        from tfic.codec.lite import lite
        from tfic.codec.lite_vbr import lite_vbr
        from tfic.codec.tic import tic

    if name not in names():
        raise unknown_name(name, names(), "codec")
    if name in WIDTHS:
        from tfic.codec.compressai_models import CompressAIModel  # imports all of CompressAI, which takes seconds

        return CompressAIModel(name).float()
    own = {"lite": lite, "lite-vbr": lite_vbr}
    return (own[name]() if name in own else tic(name.removeprefix("tic-"))).float()
