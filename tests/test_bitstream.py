"""A `.tfic` file is refused in words when it cannot be decoded."""

import random
import struct
import zlib

import numpy as np
import pytest

from tfic.codec import build
from tfic.codec.bitstream import MAX_PIXELS, OVERHEAD_BYTES, BitstreamError, pack, unpack
from tfic.codec.entropy import Coded
from tfic.codec.hyperprior import MeanScaleHyperprior

MODEL, OTHER = b"12345678", b"abcdefgh"
FILE = pack(Coded(b"8 bytes!", 7), 20, 30, MODEL)


def signed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def test_a_file_gives_back_what_was_packed_and_costs_23_bytes_more() -> None:
    assert unpack(FILE, MODEL) == (Coded(b"8 bytes!", 7), 20, 30)
    assert len(FILE) - 8 == OVERHEAD_BYTES == 23


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a TFIC file: 0 bytes"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "not a TFIC file"),
        (FILE[:-1], "damaged"),
        (FILE[:15] + b"\0" + FILE[16:], "damaged"),
        (signed(b"TFIC\x09" + FILE[5:-4]), "format version 9"),
        (signed(FILE[:13] + struct.pack("<HH", 0, 5) + FILE[17:-4]), "0 x 5 pixels cannot be coded"),
        (signed(FILE[:13] + struct.pack("<HH", 65535, 65535) + FILE[17:-4]), f"{MAX_PIXELS} in all"),
        (signed(FILE[:-5]), "whole 4-byte words"),
    ],
)
def test_a_broken_file_says_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(BitstreamError, match=words):
        unpack(data, MODEL)


def test_a_file_of_another_model_names_both() -> None:
    with pytest.raises(BitstreamError, match=f"written by model {MODEL.hex()}, this is model {OTHER.hex()}"):
        unpack(FILE, OTHER)


def test_an_image_too_large_for_the_format_is_refused() -> None:
    with pytest.raises(ValueError, match="70000 x 1 pixels"):
        pack(Coded(b"", 0), 70_000, 1, MODEL)


def test_no_flipped_byte_of_a_real_file_goes_unnoticed() -> None:
    codec: MeanScaleHyperprior = build("tic-tiny").eval()
    codec.update()
    data = codec.encode(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    chance = random.Random(0)
    for position in range(len(data)):
        broken = bytearray(data)
        broken[position] ^= chance.randrange(1, 256)
        with pytest.raises(BitstreamError):
            codec.decode(bytes(broken))
