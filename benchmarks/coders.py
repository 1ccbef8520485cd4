"""Codecs by their names on the command lines of benchmarks: `jpeg@20`, `zoo/lite-vbr@50`, `uncompressed`."""

import tfic
from tfic.measuring.classical import QUALITIES, classical, uncompressed
from tfic.measuring.evaluate import Coder


def coder_of(name: str) -> Coder:
    """The codec of a name; of a trained one the quality may be left out."""
    codec, _, quality = name.partition("@")
    if name == "uncompressed":
        return uncompressed()
    if codec in QUALITIES:
        return classical(codec, int(quality))
    found = tfic.load(codec)
    return found.at(float(quality)) if quality else found
