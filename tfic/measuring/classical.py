"""Classical codecs with the settings of ordinary use, and no compression at all: references for learned codecs."""

import importlib.util
from typing import Any

from tfic.measuring.file_format import FileFormat, Setting, Uncompressed
from tfic.measuring.prepared import Flat, Half
from tfic.strict import unknown_name

_AVIF: dict[str, Any] = {"speed": 4, "max_threads": 1, "subsampling": "4:2:0"}
_HEIC: dict[str, Any] = {"enc_params": {"x265:pools": "1"}}  # one thread; the bytes are those of any number
SETTINGS = {
    "jpeg": Setting("jpeg", (1, 5, 10, 20, 40, 75, 90), {"optimize": True}),
    "webp": Setting("webp", (0, 5, 20, 50, 80, 93), {"method": 6}),
    "avif": Setting("avif", (1, 10, 25, 40, 60, 80, 88), {"speed": 4, "max_threads": 1}),
    "avif_slow": Setting("avif", (1, 10, 25, 40, 60, 80, 88), _AVIF | {"speed": 0}),
    "avif_444": Setting("avif", (1, 10, 25, 40, 60, 80), _AVIF | {"subsampling": "4:4:4"}),
    "avif_half": Setting("avif", (1, 10, 25, 40, 60, 80), _AVIF, prepared="half"),
    "webp_half": Setting("webp", (0, 10, 20, 40, 60, 80), {"method": 6}, prepared="half"),
    "avif_flat": Setting("avif", (1, 10, 25, 40, 60, 80), _AVIF, prepared="flat"),
    "jpeg_flat": Setting("jpeg", (1, 5, 10, 20, 40, 75), {"optimize": True}, prepared="flat"),
    "jxl": Setting("jxl", (0, 5, 20, 40, 60, 80, 92), {"effort": 7, "num_threads": 1}, package="pillow_jxl"),
    "heic": Setting("heif", (0, 5, 15, 30, 45, 60, 80), _HEIC, package="pillow_heif"),
}
"""Classical codecs by their names: ordinary ones, then AVIF at its slowest, with full colour, of half the size (so also
WebP, whose files have the smallest container) and with all flat that is not text (so also JPEG), JPEG XL and HEIC
(`tfic-sweep[rivals]`)."""
QUALITIES = {name: each.qualities for name, each in SETTINGS.items()}
"""Qualities that trace the curve of each classical codec."""
_PREPARED = {"": FileFormat, "half": Half, "flat": Flat}
"""What is done to an image before, as `Setting.prepared` names it."""


def installed(name: str) -> bool:
    """Return True when the package is there that a classical codec needs."""
    package = SETTINGS[name].package
    return not package or importlib.util.find_spec(package) is not None


def classical(name: str, quality: int) -> FileFormat:
    """A classical codec at a quality.

    Raises:
        ValueError: for a name that is not in `SETTINGS` or a quality outside 0 to 100.
        ModuleNotFoundError: without the package that brings its format.
    """
    if name not in SETTINGS:
        raise unknown_name(name, list(SETTINGS), "classical codec")
    if not 0 <= quality <= 100:
        raise ValueError(f"{name} quality is {quality}; it must be between 0 and 100")
    return _PREPARED[SETTINGS[name].prepared](SETTINGS[name], quality)


def uncompressed() -> Uncompressed:
    """No compression: the reference for reading."""
    return Uncompressed()
