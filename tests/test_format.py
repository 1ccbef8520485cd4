"""docs/format.md and the code say the same."""

import hashlib
import re
import struct
import zlib
from pathlib import Path

import constriction
import numpy as np
import pytest
from made_files import ready_codec
from PIL import Image

from tfic.codec import ans, bitstream, entropy, exact
from tfic.codec.image_codec import ImageCodec
from tfic.pages.images import MAX_PIXELS

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "format.md").read_text(encoding="utf-8")
FILES = (DOCS / "files.md").read_text(encoding="utf-8")
FIELDS = {
    name: (offset.strip(), int(size) if size.strip().isdigit() else size.strip())
    for offset, size, name in re.findall(r"^\| ([\dn +]+) \| (\d+|n) \| ([\w-]+) \|", TEXT, re.MULTILINE)
}


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    return ready_codec()


def test_the_table_of_fields_is_the_header_s_layout() -> None:
    fixed = [(int(offset), size) for offset, size in FIELDS.values() if offset.isdigit() and size != "n"]
    assert list(FIELDS) == [
        "magic", "version", "fingerprint", "height", "width", "options", "check", "stream", "CRC-32",
    ]  # fmt: skip
    end = 0
    for offset, size in fixed:
        assert offset == end
        end += int(size)
    layout = "<4sB8sHHBH"
    assert struct.calcsize(layout) == end == int(FIELDS["stream"][0])
    header, coded = bitstream.Header(b"12345678", 513, 1027, grey=True), bitstream.Coded(b"", 2051)
    stated = struct.pack(layout, b"TFIC", 2, b"12345678", 513, 1027, 1, 2051)
    assert bitstream.pack(coded, header)[:-4] == stated
    sizes = [struct.calcsize(f"<{each}") for each in re.findall(r"\d*\w", layout[1:])]
    assert sizes == [size for _, size in fixed]
    assert FIELDS["CRC-32"] == ("20 + n", 4)
    assert f"Besides the stream a file has {bitstream.OVERHEAD_BYTES} bytes." in TEXT


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_file_is_read_by_the_page_alone(codec: ImageCodec, mode: str) -> None:
    data = codec.encode(Image.fromarray(np.zeros((33, 47, 3), np.uint8)).convert(mode))

    def number(name: str) -> int:
        offset, size = FIELDS[name]
        return int.from_bytes(data[int(offset) : int(offset) + int(size)], "little")

    assert data[:4] == bytes.fromhex("54464943") == bitstream.MAGIC
    assert (number("version"), number("height"), number("width")) == (2, 33, 47)
    assert number("options") == (1 if mode == "L" else 0)
    assert data[5:13] == codec.fingerprint
    assert len(data[20:-4]) % 4 == 0
    assert int.from_bytes(data[-4:], "little") == zlib.crc32(data[:-4])
    coded, header = bitstream.unpack(data)
    assert (coded.stream, coded.check, header.grey) == (data[20:-4], number("check"), mode == "L")


def test_the_fingerprint_is_made_as_the_page_says(codec: ImageCodec) -> None:
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(codec.state_dict().items()):
        digest.update(name.encode("utf-8") + tensor.numpy().tobytes("C"))
    assert digest.digest() == codec.fingerprint
    assert {"latents.z_density._quantized_cdf", "latents.y_density._cdf_length", "latents.y_density._offset"} <= set(
        codec.state_dict()
    )


def test_versions_limits_and_constants_are_the_code_s(codec: ImageCodec) -> None:
    assert TEXT.startswith(f"# The `.tfic` file, version {bitstream.VERSION}\n")
    assert TEXT.count(str(bitstream.MAX_PIXELS)) == 2
    assert f"More than {MAX_PIXELS:,} pixels" in FILES
    assert f"room for {bitstream.MAX_PIXELS:,} pixels" in FILES
    bitstream.check_size(65535, 1)
    with pytest.raises(ValueError, match="65535"):
        bitstream.check_size(65536, 1)
    assert "step = ln(256 / 0.11) / 63" in TEXT
    assert (entropy.SCALES[0], round(entropy.SCALES[-1], 6), len(entropy.SCALES)) == (0.11, 256.0, 64)
    assert f"multiples of 1/{exact.GRID}" in TEXT
    assert f"uniform in 0 to {ans.LONGEST_ESCAPE - 1}; with p popped" in TEXT
    assert f"({codec.y_stride} for `tic-*` and `lite`)" in TEXT


def test_the_stream_is_read_by_the_page_alone() -> None:
    """Groups, probabilities and escapes, with the library that the page names and none of our code."""
    tables = [np.array([5, 3, 1]), np.array([1, 2, 2, 7, 1])]  # the last is the escape's
    offsets = np.array([-1, 4])
    indexes = np.array([1, 0, 1, 0, 0, 1, 1], np.uint8)
    values = np.array([4, 0, 9000, -1, -70, 7, 2], np.int32)
    stack = ans.Stack()
    stack.push(values, indexes, ans.Tables(tables, offsets))
    coder = constriction.stream.stack.AnsCoder(np.frombuffer(stack.tobytes(), "<u4").astype(np.uint32))
    model = constriction.stream.model
    found: list[tuple[int, int, int]] = []  # place, table, symbol
    for i, counts in enumerate(tables):
        places = np.flatnonzero(indexes == i)
        symbols = coder.decode(model.Categorical(counts / counts.sum(), perfect=False), len(places))
        found += [(int(place), i, int(symbol)) for place, symbol in zip(places, symbols, strict=True)]
    escapes = [(place, i) for place, i, symbol in found if symbol == len(tables[i]) - 1]
    firsts = [2 << int(coder.decode(model.Uniform(24))) for _ in escapes]
    distances = [first + int(coder.decode(model.Uniform(first))) for first in firsts]
    read = {place: int(offsets[i]) + symbol for place, i, symbol in found}
    for (place, i), d in zip(escapes, distances, strict=True):
        k = len(tables[i]) - 1
        read[place] = int(offsets[i]) + ((1 - d) // 2 if d % 2 else k + d // 2 - 1)
    assert [read[place] for place in range(len(values))] == values.tolist()
    assert coder.is_empty()


def test_the_page_on_files_names_every_kind() -> None:
    kinds = (
        "grey of 1, 2", "white as the largest value or as zero", "palette", "alpha channel", "declared transparent",
        "16 bits", "floats", "CMYK", "EXIF orientation", "GIF", "APNG", "phone's JPEG", "icon", "BMP", "TGA", "WebP",
        "PGM", "cut short", "Colour profiles", "Several frames",
    )  # fmt: skip
    assert not [kind for kind in kinds if kind not in FILES]
