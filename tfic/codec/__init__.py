"""Learned codecs: any of them by its name."""

from tfic.codec.compressai_models import WIDTHS, CompressAIModel
from tfic.codec.image_codec import ImageCodec
from tfic.codec.lite import lite
from tfic.codec.tic import SIZES, tic
from tfic.config import unknown_key

CODECS = (*(f"tic-{size}" for size in SIZES), "lite", *WIDTHS)
"""Names that `build` takes."""


def build(name: str) -> ImageCodec:
    """An untrained codec.

    Raises:
        ValueError: when no codec has that name; the nearest is named.
    """
    if name not in CODECS:
        raise unknown_key(name, list(CODECS), "codec")
    if name in WIDTHS:
        return CompressAIModel(name)
    return lite() if name == "lite" else tic(name.removeprefix("tic-"))
