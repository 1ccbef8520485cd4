"""From pages of any source to a folder with `metadata.jsonl`, whole or not at all, and a count of what was taken."""

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from tfic.data import write_folder
from tfic.importing import icdar, pdf, scene_text
from tfic.importing.candidate import Candidate, Skipped
from tfic.importing.scan_look import ScanLook
from tfic.pages import images
from tfic.pages.labels import METADATA, Label, check_inside, labels
from tfic.pages.lines import Page
from tfic.system.files import whole_folder, write_whole

RECORD = "import.json"
"""Name of the file in the written folder that says where its pages come from."""
_FORMS = "a PDF file or a folder of them, a folder with metadata.jsonl or with gt_*.txt, or an LMDB (data.mdb)"


@dataclass
class Report:
    """What became of the pages of a source."""

    taken: int = 0
    """Pages that were written."""
    lines: int = 0
    """Lines on them."""
    unread: int = 0
    """Regions on them that are not to be read."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Pages that were left out, by reason."""
    bad: list[str] = field(default_factory=list)
    """What is wrong with each page that was left out because it is wrong."""

    def sentence(self) -> str:
        """All of it in one line."""
        left = f"left out: {self.left_out()}" if self.skipped or self.bad else "none left out"
        return f"{self.taken} pages with {self.lines} lines and {self.unread} regions not to be read; {left}"

    def left_out(self) -> str:
        """Numbers and reasons of the pages that were left out."""
        reasons = [f"{count} {reason}" for reason, count in self.skipped.most_common()]
        return ", ".join(reasons + ([f"{len(self.bad)} wrong, the first: {self.bad[0]}"] if self.bad else []))


def import_pages(
    source: Path,
    out: Path,
    look: ScanLook | None = None,
    *,
    dpi: float = pdf.DPI,
    pictures: Path | None = None,
    limit: int | None = None,
    skip_bad: bool = False,
) -> Report:
    """Write the pages of a source to a new folder, in the form that `--train-data` and `--test-data` take.

    Args:
        source: a PDF, a folder of PDFs, with `metadata.jsonl` or with `gt_*.txt`, or an LMDB.
        out: the folder; it must not exist, or be empty.
        look: the look of a scan; none by default.
        dpi: pixels per inch of the pages of a PDF.
        pictures: folder of the images of `gt_*.txt`, by default the same.
        limit: most pages to take, from the first.
        skip_bad: True to leave out and count pages that are wrong, which are refused otherwise.

    Raises:
        ValueError: for a source that is wrong, or of which no page can be taken; nothing is written then.
        ModuleNotFoundError: without the package that the source needs.
        FileWriteError: when the folder cannot be written.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; it must be at least 1")
    report = Report()
    on_bad = report.bad.append if skip_bad else None
    found = _candidates(source, dpi, pictures, on_bad)
    settings = {"dpi": dpi, "look": asdict(look or ScanLook()), "limit": limit, "skip_bad": skip_bad}
    write_pages(found, out, look or ScanLook(), {"source": str(source), **settings}, report, limit, on_bad)
    return report


def write_pages(
    found: Iterable[Candidate],
    out: Path,
    look: ScanLook,
    record: dict[str, object],
    report: Report,
    limit: int | None = None,
    on_bad: Callable[[str], None] | None = None,
) -> None:
    """Write those of the candidates that can be taken, and `record` with the report beside them.

    Args:
        found: the candidates.
        out: the folder; it must not exist, or be empty.
        look: the look of a scan.
        record: where the pages come from, for `import.json`.
        report: is filled.
        limit: most pages to take.
        on_bad: takes what is wrong with a page; by default the error is raised.

    Raises:
        ValueError: for a page that is wrong, or when none can be taken.
    """
    with whole_folder(out) as folder:
        write_folder(islice(_taken(found, look, report, on_bad), limit), folder)
        if not report.taken:
            raise ValueError(f"no page of {record['source']} can be taken; left out: {report.left_out() or 'nothing'}")
        counts = {"pages": report.taken, "lines": report.lines, "unread": report.unread}
        left_out = {"skipped": dict(report.skipped), "bad": report.bad}
        write_whole(folder / RECORD, json.dumps({**record, **counts, **left_out}, indent=1).encode())


def _taken(
    found: Iterable[Candidate], look: ScanLook, report: Report, on_bad: Callable[[str], None] | None
) -> Iterator[Page]:
    for candidate in found:
        try:
            page = candidate.read()
        except ValueError as error:
            if on_bad is None:
                raise
            on_bad(str(error))
            continue
        if isinstance(page, Skipped):
            report.skipped[page.reason] += 1
            continue
        report.taken += 1
        report.lines += len(page.lines)
        report.unread += len(page.ignored)
        yield look.of(replace(page, name=candidate.name))


def _candidates(
    source: Path, dpi: float, pictures: Path | None, on_bad: Callable[[str], None] | None
) -> Iterable[Candidate]:
    if source.is_file():
        return pdf.pages(source, PurePosixPath(source.stem), dpi)
    if not source.is_dir():
        raise ValueError(f"{source} does not exist; give {_FORMS}")
    truths = any(source.glob(f"{icdar.PREFIX}*.txt"))
    forms = {
        METADATA: (source / METADATA).is_file(),
        "gt_*.txt": truths,
        scene_text.FILE: (source / scene_text.FILE).is_file(),
    }
    named = [name for name, there in forms.items() if there]
    if len(named) > 1:
        raise ValueError(f"{source} has {' and '.join(named)}; leave the one that is the truth")
    if pictures is not None and named != ["gt_*.txt"]:
        raise ValueError(f"--images names the images of gt_*.txt, and {source} has none; leave it out")
    match named:
        case ["metadata.jsonl"]:
            return _of_folder(source, on_bad)
        case ["gt_*.txt"]:
            return icdar.pages(source, pictures or source)
        case [scene_text.FILE]:
            return scene_text.pages(source)
    return _of_pdfs(source, dpi, on_bad)


def _of_pdfs(folder: Path, dpi: float, on_bad: Callable[[str], None] | None) -> Iterator[Candidate]:
    files = list(pdf.files(folder))
    if not files:
        raise ValueError(f"{folder} has no pages to import; give {_FORMS}")
    for file in files:
        try:
            found = pdf.pages(file, PurePosixPath(file.relative_to(folder).with_suffix("")), dpi)
        except ValueError as error:
            if on_bad is None:
                raise
            on_bad(str(error))
            continue
        yield from found


def _of_folder(folder: Path, on_bad: Callable[[str], None] | None) -> Iterator[Candidate]:
    tell = None if on_bad is None else (lambda error: on_bad(f"{folder / METADATA}: {error}"))
    for number, label in labels(folder, lines_required=False, on_bad=tell):
        yield Candidate(label.name, functools.partial(_labelled, folder, number, label))


def _labelled(folder: Path, number: int, label: Label) -> Page:
    pixels = images.pixels(images.open_image(folder / label.name))
    try:
        check_inside(label, *pixels.shape[:2])
    except ValueError as error:
        raise ValueError(f"{folder / METADATA}:{number}: {error}") from error
    stated = label.text if label.lines is None else None
    return Page(label.name, pixels, label.lines or (), stated, label.ignored)
