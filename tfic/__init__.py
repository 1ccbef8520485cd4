"""What one codec is: settings, images, network, reader, training, measuring. Knows nothing of sweeps.

    codec = tfic.load("run/codec.safetensors")  # or a run directory, runs:/ID, models:/NAME/VERSION, zoo/NAME
    data = codec.encode(Image.open("page.png"))
    image = codec.decode(data)                  # raises tfic.BitstreamError for a file that cannot be decoded

`tfic.build("tic-base")` is an untrained codec. All three come with torch, and so only when they are first asked for.
"""

import importlib
from typing import Any

__all__ = ["BitstreamError", "TficError", "build", "load"]

_HOMES = {
    "TficError": "tfic.errors",
    "BitstreamError": "tfic.codec.bitstream",
    "build": "tfic.codec",
    "load": "tfic.models",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfic' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
