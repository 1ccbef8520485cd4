"""Pages of PDF files with their text layer as the truth, through pdfium (`tfic-sweep[import]`)."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tfic.importing.candidate import Candidate, Skipped
from tfic.importing.pdf_text import text_layer
from tfic.pages.lines import Page

MAX_PIXELS = 67_108_864
"""Most pixels of a page: a `.tfic` file has room for no more."""
DPI = 150.0
"""Resolution where none is asked for."""


def pages(file: Path, name: PurePosixPath, dpi: float = DPI, numbers: Sequence[int] | None = None) -> list[Candidate]:
    """The pages of a PDF file.

    Args:
        file: the file.
        name: name of the file without its ending, from which those of the pages are made: `NAME-p0001`.
        dpi: pixels per inch.
        numbers: numbers of the pages to take, from 1; all by default.

    Raises:
        ValueError: for a file that is encrypted, broken or without such a page, or a dpi out of range.
        ModuleNotFoundError: without pypdfium2.
    """
    if not 20 <= dpi <= 1200:
        raise ValueError(f"dpi is {dpi:g}; it must be between 20 and 1200")
    document = _opened(file)
    chosen: Iterable[int] = range(1, len(document) + 1) if numbers is None else numbers
    for number in chosen:
        if not 1 <= number <= len(document):
            raise ValueError(f"{file} has {len(document)} pages and no page {number}")
    return [Candidate(f"{name}-p{number:04d}.png", partial(_page, document, file, number, dpi)) for number in chosen]


def files(folder: Path) -> Iterator[Path]:
    """The PDF files of a folder and of those below it, by name."""
    yield from sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".pdf" and path.is_file())


def _opened(file: Path) -> Any:
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        return pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise ValueError(
                f"{file} is encrypted; remove its password (qpdf --decrypt) and import that file"
            ) from error
        raise ValueError(f"{file} cannot be read as a PDF ({error}); repair it, or print it to a new one") from error


def _page(document: Any, file: Path, number: int, dpi: float) -> Page | Skipped:
    import pypdfium2

    name = f"{file}, page {number}"
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError as error:
        raise ValueError(f"{name} cannot be read ({error}); repair the file, or print it to a new one") from error
    try:
        width, height = page.get_size()
        if (width * dpi / 72) * (height * dpi / 72) > MAX_PIXELS:
            raise ValueError(
                f"{name} of {width / 72:.0f} x {height / 72:.0f} inches has more than {MAX_PIXELS:,} pixels "
                f"at {dpi:g} dpi; choose fewer dpi"
            )
        # annotations and fields of forms are not in the text layer, so they are not on the image either
        bitmap = page.render(scale=dpi / 72, may_draw_forms=False, draw_annots=False, rev_byteorder=True)
        image = np.array(bitmap.to_pil().convert("RGB"))
        bitmap.close()
        layer = text_layer(page, image.shape[1], image.shape[0])
    finally:
        page.close()
    if not layer.characters:
        return Skipped("without a text layer")
    if not layer.visible:
        return Skipped("scans with text that a program read")
    if not layer.lines:
        return Skipped("without text of known letters that stands upright")
    return Page(name, image, tuple(layer.lines), ignored=tuple(layer.unknown))
