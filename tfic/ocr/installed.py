"""Whether readers are here: asked before anything is made, without loading any."""

from collections.abc import Iterable

from tfic.ocr.known import program, reader
from tfic.ocr.tesseract import find_program


def check_installed(names: Iterable[str]) -> None:
    """Raise ReaderMissingError, with the remedy, for the first of these readers that is not installed."""
    for name in names:
        match name:
            case "tesseract":
                find_program()
            case "gocr":
                program(name)
            case _:
                reader(name).files()
