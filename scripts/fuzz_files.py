"""Fuzz the decoder with coverage guidance: `pip install atheris`, then

    python scripts/fuzz_files.py -runs=100000

The fuzzer's bytes become the options, check and stream of a file whose size is small and whose checksum holds, so that
it is the decoder that is asked, not CRC-32. Anything but an image of the stated size or a BitstreamError is a finding.
"""

import struct
import sys
import zlib

import atheris
import torch

with atheris.instrument_imports(include=["tfic.codec.ans", "tfic.codec.bitstream", "tfic.codec.latent_stream"]):
    from tfic.codec import bitstream, build

torch.manual_seed(0)
CODEC = build("lite").eval()
CODEC.update()


def decode(data: bytes) -> None:
    """One input of the fuzzer."""
    provider = atheris.FuzzedDataProvider(data)
    height, width = provider.ConsumeIntInRange(0, 70), provider.ConsumeIntInRange(0, 70)
    head = struct.pack("<HHB", height, width, provider.ConsumeIntInRange(0, 3))
    body = b"TFIC\x02" + CODEC.fingerprint + head + provider.ConsumeBytes(sys.maxsize)
    try:
        image = CODEC.decode(body + struct.pack("<I", zlib.crc32(body)))
    except bitstream.BitstreamError:
        return
    assert image.size == (width, height)


if __name__ == "__main__":
    atheris.Setup(sys.argv, decode)
    atheris.Fuzz()
