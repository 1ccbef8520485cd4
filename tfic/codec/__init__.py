"""Learned codecs: any of them by its name.

Nothing here imports torch before a codec is built: what writes and reads streams (`latent_stream`, `bitstream`) serves
programs without it (`tfic.onnx_encoder`).
"""

from typing import TYPE_CHECKING

from tfic.config import unknown_key

if TYPE_CHECKING:
    from tfic.codec.image_codec import ImageCodec


def names() -> list[str]:
    """What `build` takes."""
    from tfic.codec.compressai_models import WIDTHS
    from tfic.codec.tic import SIZES

    return [*(f"tic-{size}" for size in SIZES), "lite", *WIDTHS]


def build(name: str) -> "ImageCodec":
    """An untrained codec, in float32.

    Raises:
        ValueError: when no codec has that name; the nearest is named.
    """
    from tfic.codec.compressai_models import WIDTHS, CompressAIModel
    from tfic.codec.lite import lite
    from tfic.codec.tic import tic

    if name not in names():
        raise unknown_key(name, names(), "codec")
    if name in WIDTHS:
        return CompressAIModel(name).float()
    return (lite() if name == "lite" else tic(name.removeprefix("tic-"))).float()
