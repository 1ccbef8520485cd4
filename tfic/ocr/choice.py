"""Readers of pages by name, as settings and command lines ask for them."""

from collections.abc import Sequence

from tfic.errors import ReaderMissingError
from tfic.ocr.detector import TextDetector
from tfic.ocr.installed import check_installed
from tfic.ocr.known import KNOWN, reader
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.reader import PageReader
from tfic.ocr.recognisers import GOCRRecogniser, StagedReader, easyocr_recogniser, legere_recogniser


def page_reader(name: str, detector: TextDetector) -> PageReader:
    """The further reader of a name; those that read lines alone read what `detector` finds.

    Raises:
        ReaderMissingError: when it is not installed; says what to do.
    """
    title = reader(name).title
    match name:
        case "ppocrv4" | "ppocrv3":
            find, read = reader(name).files()
            return PPOCRPageReader(detector.side_px, detector.threads, (find, read), title)
        case "easyocr":
            return StagedReader(title, detector, easyocr_recogniser())
        case "legere":
            return StagedReader(title, detector, legere_recogniser())
        case _:
            assert name == "gocr"
            return StagedReader(title, detector, GOCRRecogniser())


def page_readers(names: Sequence[str], detector: TextDetector) -> dict[str, PageReader]:
    """Readers by name, which share one detector, or have its size and threads.

    Raises:
        ReaderMissingError: when one of them is not installed.
    """
    return {name: page_reader(name, detector) for name in names}


def own_detector(name: str, detector: TextDetector) -> TextDetector:
    """The detector of a further reader that has one of its own, with the size and the threads of `detector`.

    Raises:
        ReaderMissingError: when the reader is not installed.
    """
    find, _ = reader(name).files()
    return TextDetector(detector.side_px, detector.threads, find, f"the detector of {reader(name).title}")


def told(fetch: Sequence[str]) -> list[str]:
    """The table of readers, or the files of those that are fetched first."""
    return [str(path) for name in fetch for path in reader(name).fetch()] if fetch else table()


def table() -> list[str]:
    """A line for each known reader: name, whether it is here, architecture, licence, and how to get it."""
    lines = []
    for each in KNOWN:
        try:
            check_installed([each.name])
            here = "here"
        except ReaderMissingError as error:
            here = f"not here: {error}"
        lines.append(f"{each.name:14} {each.title}: {each.kind}. {each.licence}. {here}")
    return lines
