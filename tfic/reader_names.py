"""The names of readers in settings and on command lines; `tfic.ocr.known` says what each is. Needs no reader."""

from types import MappingProxyType

from tfic.weights import chosen, from_assignments

READERS = ("ppocrv6-small", "easyocr")
"""Readers to train against."""
FURTHER_READERS = ("easyocr", "ppocrv4", "ppocrv3", "legere", "gocr")
"""Readers that test images can be read with beside the training reader, PP-OCRv6, and Tesseract."""
SHORT_READERS = MappingProxyType({"ppocr": "ppocrv6-small"})
"""Short names of readers, for command lines."""


def trained_against(text: str) -> str:
    """Readers to train against as a sum, from a flag such as `ppocr=1,easyocr=0.5`."""
    return from_assignments(text, SHORT_READERS)


def further(text: str) -> tuple[str, ...]:
    """The names of further readers in `easyocr+ppocrv4`.

    Raises:
        ValueError: for an unknown or repeated name.
    """
    return chosen(text, FURTHER_READERS, "eval.readers")
