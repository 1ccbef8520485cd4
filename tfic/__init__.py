"""A learned image codec for text: settings, images, networks, readers, training and measurement of one codec.

    codec = tfic.load("zoo/lite-vbr-reading")  # or a codec.safetensors, a run directory, runs:/ID, models:/NAME/VERSION
    data = codec.encode(Image.open("page.png"), quality=30)
    image = codec.decode(data)         # raises tfic.BitstreamError for a file that cannot be decoded

`tfic.build("tic-base")` is an untrained codec. `import tfic` imports none of its modules: each name below comes with
its module, and so with torch where that needs it, when it is first used.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfic.checkpoints.models import load
    from tfic.codec import build
    from tfic.codec.bitstream import BitstreamError
    from tfic.codec.image_codec import ImageCodec
    from tfic.errors import TficError

    __version__: str

__all__ = ["BitstreamError", "ImageCodec", "TficError", "__version__", "build", "load"]

_MODULES = {
    "BitstreamError": "tfic.codec.bitstream",
    "ImageCodec": "tfic.codec.image_codec",
    "TficError": "tfic.errors",
    "build": "tfic.codec",
    "load": "tfic.checkpoints.models",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("tfic-sweep")
    if name not in _MODULES:
        raise AttributeError(f"module 'tfic' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
