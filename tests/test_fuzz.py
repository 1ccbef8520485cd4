"""Whatever a file holds, it decodes to what its checksum promises, or is refused in words.

`make stress` asks 100,000 mutated files instead of the 1,000 of `make test`.
"""

import random
import resource
import struct
import time
import tracemalloc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_files import signed

from tfic.codec import build
from tfic.codec.bitstream import MAX_PIXELS, OVERHEAD_BYTES, BitstreamError, unpack
from tfic.codec.image_codec import ImageCodec

CRC_BYTES = 4
SIZES_AT = 13
"""Where the height and the width begin in a file."""


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    torch.manual_seed(0)
    codec = build("lite").eval()
    with torch.no_grad():
        codec.g_a[2].conv.weight.mul_(20)  # latents of some units, so that streams have something to break
    codec.update()
    return codec


@pytest.fixture(scope="module")
def files(codec: ImageCodec) -> list[bytes]:
    torch.manual_seed(1)
    return [codec.encode(torch.rand(3, height, width)) for height, width in ((1, 1), (16, 40), (64, 64), (33, 100))]


def mutated(files: list[bytes], chance: random.Random) -> bytes:
    """A file with one to three changes: bytes flipped, lost, inserted, cut off, taken from another, or another size."""
    data = bytearray(chance.choice(files))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 8)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 3:
                del data[at:]
            case 4:
                other = chance.choice(files)
                data[at:] = other[chance.randrange(len(other)) :]
            case 5 if len(data) >= OVERHEAD_BYTES:
                most = 65535 if chance.random() < 0.01 else 200
                data[SIZES_AT : SIZES_AT + 4] = struct.pack("<HH", chance.randint(0, most), chance.randint(0, most))
    return bytes(data)


def attack(codec: ImageCodec, files: list[bytes], count: int, seed: int) -> dict[str, int]:
    """Decode mutated files, half of them with a checksum made anew, and count how it went."""
    chance = random.Random(seed)
    outcomes = {"refused": 0, "the file itself": 0, "another valid file": 0}
    for _ in range(count):
        data, mended = mutated(files, chance), chance.random() < 0.5
        if mended:
            data = signed(data[:-CRC_BYTES])
        started = time.process_time()
        try:
            x_hat = codec.decode_tensor(data)
        except BitstreamError:
            outcomes["refused"] += 1
        else:
            header = unpack(data)[1]
            assert x_hat.shape == (3, header.height_px, header.width_px)
            assert 0 <= float(x_hat.min()) <= float(x_hat.max()) <= 1
            assert mended or data in files, "a checksum that was not made anew must not hold for another file"
            outcomes["the file itself" if data in files else "another valid file"] += 1
        assert time.process_time() - started < 60
    return outcomes


def test_mutated_files_are_refused_or_decoded(codec: ImageCodec, files: list[bytes]) -> None:
    outcomes = attack(codec, files, 1_000, seed=0)
    assert outcomes["refused"] > 800
    assert outcomes["another valid file"], "some damage is another image's file: only the checksum could have told"


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_100_000_mutated_files_are_refused_or_decoded_within_bounded_memory(
    codec: ImageCodec, files: list[bytes]
) -> None:
    outcomes = attack(codec, files, 100_000, seed=1)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\n{outcomes}, peak memory {peak_gib:.1f} GiB")
    assert outcomes["refused"] > 80_000
    assert peak_gib < 8


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_refused_and_behind_a_true_header_nothing_else_happens(
    codec: ImageCodec, data: bytes
) -> None:
    with pytest.raises(BitstreamError):
        codec.decode_tensor(data)
    header = b"TFIC\x02" + codec.fingerprint + struct.pack("<HHB", 8, 8, 0)
    try:
        x_hat = codec.decode_tensor(signed(header + data))
    except BitstreamError:
        return
    assert x_hat.shape == (3, 8, 8)


@pytest.mark.parametrize(("height", "width"), [(20_000, 20_000), (65_535, 65_535), (8193, MAX_PIXELS // 8192)])
def test_a_small_file_that_states_a_huge_image_takes_no_memory(height: int, width: int) -> None:
    body = b"TFIC\x02" + bytes(8) + struct.pack("<HHBH", height, width, 0, 0) + bytes(range(16))
    data = signed(body)
    assert len(data) == 40
    tracemalloc.start()
    with pytest.raises(BitstreamError, match="cannot be coded"):
        unpack(data)  # before any tensor is made
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_a_small_file_that_states_the_largest_image_is_refused_within_seconds_and_before_any_pixel_is_made(
    codec: ImageCodec,
) -> None:
    body = b"TFIC\x02" + codec.fingerprint + struct.pack("<HHBH", 8192, 8192, 0, 0) + bytes(range(1, 17))
    made: list[object] = []
    hook = codec.g_s.register_forward_pre_hook(lambda _, inputs: made.append(inputs))
    started = time.process_time()
    with pytest.raises(BitstreamError, match="other scales"):
        codec.decode(signed(body))
    assert time.process_time() - started < 60
    hook.remove()
    assert not made
