"""A `.tfic` file is refused in words when it cannot be decoded."""

import random
import struct

import numpy as np
import pytest
from made_files import ready_codec, signed

from tfic.codec.bitstream import MAX_PIXELS, OVERHEAD_BYTES, BitstreamError, Coded, Header, pack, unpack
from tfic.codec.image_codec import ImageCodec

STREAM = OVERHEAD_BYTES - 4
HEADER = Header(b"12345678", 20, 30, grey=True)
FILE = pack(Coded(b"8 bytes!", 7), HEADER)


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    return ready_codec()


def test_a_file_gives_back_what_was_packed_and_costs_24_bytes_more() -> None:
    assert unpack(FILE) == (Coded(b"8 bytes!", 7), HEADER)
    assert len(FILE) - 8 == OVERHEAD_BYTES == 24


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a TFIC file: 0 bytes"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "not a TFIC file"),
        (FILE[:-1], "damaged"),
        (FILE[:15] + b"\0" + FILE[16:], "damaged"),
        (signed(b"TFIC\x09" + FILE[5:-4]), "format version 9"),
        (signed(FILE[:13] + struct.pack("<HH", 0, 5) + FILE[17:-4]), "0 x 5 pixels cannot be coded"),
        (signed(FILE[:13] + struct.pack("<HH", 20_000, 20_000) + FILE[17:-4]), f"{MAX_PIXELS} pixels in all"),
        (signed(FILE[:17] + b"\x04" + FILE[18:-4]), "options 0x04"),
    ],
)
def test_a_broken_file_says_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(BitstreamError, match=words):
        unpack(data)


def test_a_file_of_another_model_names_both(codec: ImageCodec) -> None:
    with pytest.raises(
        BitstreamError, match=f"written by model {b'12345678'.hex()}, this is model {codec.fingerprint.hex()}"
    ):
        codec.decode(FILE)


def test_a_stream_that_no_codec_made_is_refused_after_its_checksum_was_mended(codec: ImageCodec) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    data = codec.encode(image)
    for stream, words in (
        (data[STREAM:-5], "whole words"),
        (data[STREAM:-8] + bytes(4), "zero word"),
        (b"", "other scales|end where"),
    ):
        with pytest.raises(BitstreamError, match=words):
            codec.decode(signed(data[:STREAM] + stream))
    longer = signed(data[:STREAM] + b"\1\2\3\4" + data[STREAM:-4])
    with pytest.raises(BitstreamError, match="does not end where its symbols do"):
        codec.decode(longer)


def test_an_image_too_large_for_the_format_is_refused() -> None:
    with pytest.raises(ValueError, match="70000 x 1 pixels"):
        pack(Coded(b"", 0), Header(HEADER.fingerprint, 70_000, 1, grey=False))


def test_no_flipped_byte_of_a_real_file_goes_unnoticed(codec: ImageCodec) -> None:
    data = codec.encode(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    chance = random.Random(0)
    for position in range(len(data)):
        broken = bytearray(data)
        broken[position] ^= chance.randrange(1, 256)
        with pytest.raises(BitstreamError):
            codec.decode(bytes(broken))
