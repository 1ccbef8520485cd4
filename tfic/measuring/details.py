"""What is kept of the test images whose pictures are kept: where the bits went, and what each further reader read.

    {"test-000000.png": {"block_px": 16, "bits": [[51, 7, ...], ...], "texts": {"tesseract": "INVOICE 2041"}}}

Bits are those of the codec's likelihoods, rounded, by rows of square blocks from the upper left corner; the last row
and column may reach beyond the image. Classical codecs have none. Needs neither torch nor an image library.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

FILE = "details.json"
"""Name of the file, beside the pictures."""


@dataclass(frozen=True)
class Details:
    """What is known of one test image through one codec beside its row."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """What readers beside the training reader read, by their names."""
    block_px: int = 0
    """Side of a block in pixels; 0 without bits."""
    bits: tuple[tuple[int, ...], ...] = ()
    """Bits of each block, (rows, columns)."""


def block_px(height_px: int, width_px: int, rows: int, columns: int) -> int:
    """Side of the blocks of an image of 64 pixels a side or more, that so many cover: a power of two."""
    return 1 << math.ceil(math.log2(max(1.0, height_px / rows, width_px / columns)))


def dump(details: Mapping[str, Details]) -> bytes:
    """The details of images by their names as the bytes of the file."""
    found = {
        name: {"block_px": each.block_px, "bits": each.bits, "texts": dict(each.texts)}
        for name, each in details.items()
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def parse(data: bytes) -> dict[str, Details]:
    """The details of images by their names.

    Raises:
        ValueError: when the bytes are not those of such a file.
    """
    try:
        return {
            name: Details(each["texts"], each["block_px"], tuple(tuple(row) for row in each["bits"]))
            for name, each in json.loads(data).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{FILE} is damaged or of another version: {error!r}; measure again") from error
