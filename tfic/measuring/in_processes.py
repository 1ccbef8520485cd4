"""Measuring a codec on its test set: rows, pictures and means in a folder, by one process or by several at once.

A row depends on the codec and the page alone, its times excepted, so it is the same whichever process makes it. With
several processes, times of encoding, decoding and reading are those of one thread while other cores are busy.
"""

import io
import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tfic.codec.exact import one_thread
from tfic.config import Config
from tfic.data import test_pages
from tfic.measuring import details
from tfic.measuring.evaluate import Coder, check_measured, heldout_reader, some_rows, warm_up
from tfic.measuring.row import COMPARISON_FILE, PICTURES, ROWS_FILE, Row, means, picture_name, write_rows
from tfic.measuring.tasks import metrics_of
from tfic.ocr.choice import page_readers
from tfic.ocr.detector import TextDetector
from tfic.ocr.installed import check_installed
from tfic.ocr.page import PPOCRPageReader
from tfic.pages.lines import Page
from tfic.reader_names import further
from tfic.system.files import write_whole
from tfic.system.pool import pool
from tfic.task_names import further_tasks

THREADS = 1
"""Threads of everything that is measured: times are those of one, and sums of floats depend on their number."""
PAGES_A_PROCESS = 16
"""Pages per process: to start another process, some seconds of imports, for fewer takes longer than it saves."""
PAGES_A_TASK = 2
"""Fewest pages that a process takes at a time; the last task decides how long the others wait."""
TASKS_A_PROCESS = 3
"""Tasks of the present size that each process would still get: so they begin large, as Tesseract starts once a task."""


@dataclass(frozen=True)
class Kept:
    """A test image of which a picture is kept."""

    number: int
    """Its number in the test set."""
    x_hat: np.ndarray
    """Its reconstruction."""
    texts: Mapping[str, str]
    """What readers beside the training reader read, by their names."""


@dataclass(frozen=True)
class Part:
    """Some pages of a test set, measured."""

    rows: list[Row]
    """Their rows."""
    first: list[Kept]
    """The first ones, as many as pictures are wanted."""


class _Measurer:
    """What one process needs to measure: the codec, the readers, the test set."""

    def __init__(self, coder: Coder, config: Config, pages: Sequence[Page]) -> None:
        self._coder, self._pictures = coder, config.eval.pictures
        self._reader = PPOCRPageReader(config.eval.detect_side_px, THREADS)
        self._heldout = heldout_reader(config.eval)
        detector = TextDetector(config.eval.detect_side_px, THREADS)  # readers and tasks share what it finds
        readers = further(config.eval.readers)
        self._further = page_readers(readers, detector)
        self._tasks = metrics_of(further_tasks(config.eval.tasks), detector, readers)
        self._pages = pages
        warm_up(coder, pages)

    def part(self, numbers: range) -> Part:
        """Measure the pages of these numbers."""
        number_of = {self._pages[number].name: number for number in numbers}
        first: list[Kept] = []

        def keep(row: Row, x_hat: np.ndarray, texts: Mapping[str, str]) -> None:
            if len(first) < self._pictures:
                first.append(Kept(number_of[row.image], x_hat, texts))

        pages = [self._pages[number] for number in numbers]
        return Part(some_rows(self._coder, pages, self._reader, self._heldout, keep, self._further, self._tasks), first)


def processes_for(pages: int, most: int) -> int:
    """The number of processes, up to `most`, that measure so many pages in the least time."""
    return max(1, min(most, pages // PAGES_A_PROCESS))


@contextmanager
def _alone() -> Iterator[None]:
    """Run the block on one thread, as other processes that measure do."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with one_thread():
            yield
    finally:
        cv2.setNumThreads(threads)


def measure(coder: Coder, config: Config, out: Path, processes: int = 1) -> dict[str, float]:
    """Measure a coder as `config.eval` says, on the test set of `config.data`, and write the results to `out`.

    Writes `rows.csv`, `pictures/NAME.png` (the first reconstructions), `pictures/details.json` (of
    `tfic.measuring.details`) and `comparison.png` (originals above reconstructions); returns the means.

    Args:
        coder: the codec to measure; with several processes it must be one that can be pickled.
        config: the settings.
        out: folder for the results.
        processes: the most processes that measure, this one included; a small test set takes fewer.

    Raises:
        ReaderMissingError: when a reader that measures is not installed; nothing is written then.
        ValueError: when no image can be measured, or the test set cannot be read.
        RuntimeError: when a process dies.
    """
    check_installed(config.eval.judges)
    pages = test_pages(config.data)
    processes = processes_for(len(pages), processes)
    (out / PICTURES).mkdir(parents=True, exist_ok=True)  # before the work: a folder that cannot be made costs none
    if processes == 1:
        with _alone():
            parts = [_Measurer(coder, config, pages).part(range(len(pages)))]
    else:
        parts = _shared(coder, config, pages, processes)
    rows = [row for part in parts for row in part.rows]
    check_measured(rows)
    first = [each for part in parts for each in part.first][: config.eval.pictures]
    (out / ROWS_FILE).unlink(missing_ok=True)  # of another measurement, to which the new pictures would not belong
    for each in first:
        picture = io.BytesIO()
        Image.fromarray(each.x_hat).save(picture, "PNG")
        write_whole(out / PICTURES / picture_name(rows[each.number].image), picture.getvalue())
    known = {rows[each.number].image: _details(coder, pages[each.number].image, each.texts) for each in first}
    write_whole(out / PICTURES / details.FILE, details.dump(known))
    _comparison([pages[each.number].image for each in first], [each.x_hat for each in first], out / COMPARISON_FILE)
    write_rows(rows, out / ROWS_FILE)  # last: where it is, everything else is too
    return means(rows)


def _details(coder: Coder, image: np.ndarray, texts: Mapping[str, str]) -> details.Details:
    bits = coder.bits_by_block(Image.fromarray(image))
    if bits is None:
        return details.Details(texts)
    side = details.block_px(*image.shape[:2], *bits.shape)
    return details.Details(texts, side, tuple(tuple(row) for row in np.rint(bits).astype(int).tolist()))


def _shared(coder: Coder, config: Config, pages: Sequence[Page], processes: int) -> list[Part]:
    """The parts of the test set in order, measured by this process and others, each on one thread."""
    with tempfile.TemporaryDirectory(prefix="tfic-measure-") as scratch, _alone():
        what = Path(scratch, "coder")
        what.write_bytes(pickle.dumps((coder, config)))
        # the first submit returns when the other process has imported all: it is waited for aside
        with pool(processes - 1, (__name__, type(coder).__module__)) as submit, ThreadPoolExecutor(1) as aside:
            give = partial(aside.submit, submit, _part, what)
            own = cache(lambda: _Measurer(coder, config, pages))
            try:
                shares = tasks(len(pages), processes)
                return _divided(shares, lambda numbers: own().part(numbers), give, ahead=2 * (processes - 1))
            except BrokenProcessPool as error:
                raise RuntimeError(
                    "a measuring process died, perhaps for want of memory; measure with fewer processes"
                ) from error


def tasks(pages: int, processes: int) -> list[range]:
    """The pages in tasks for so many processes: large ones first, so that all end at about the same time."""
    found: list[range] = []
    done = 0
    while done < pages:
        size = min(pages - done, max(PAGES_A_TASK, (pages - done) // (TASKS_A_PROCESS * processes)))
        found.append(range(done, done + size))
        done += size
    return found


def _divided(
    tasks: Sequence[range],
    own: Callable[[range], Part],
    give: Callable[[range], "Future[Future[Part]]"],
    ahead: int,
) -> list[Part]:
    """The parts of all tasks in order, of which others have up to `ahead` at a time and this process makes the rest.

    Args:
        tasks: the pages of each.
        own: makes a part here.
        give: gives a task to others, without waiting until they have started.
        ahead: tasks that others are given beforehand, while this process is busy.
    """
    left, given, mine = deque(enumerate(tasks)), dict[int, "Future[Future[Part]]"](), dict[int, Part]()
    while left:
        while left and sum(not (each.done() and each.result().done()) for each in given.values()) < ahead:
            i, numbers = left.popleft()
            given[i] = give(numbers)
        if left:
            i, numbers = left.popleft()
            mine[i] = own(numbers)
    return [mine[i] if i in mine else given[i].result().result() for i in range(len(tasks))]


def _part(what: Path, numbers: range) -> Part:
    return _measurer(what).part(numbers)


@cache
def _measurer(what: Path) -> _Measurer:
    """What a process of the pool measures with, made once."""
    coder, config = pickle.loads(what.read_bytes())
    return _Measurer(coder, config, test_pages(config.data))


def _comparison(originals: Sequence[np.ndarray], reconstructions: Sequence[np.ndarray], path: Path) -> None:
    """One picture: originals in the upper row, their reconstructions below."""
    gap = 4
    width = sum(image.shape[1] + gap for image in originals) - gap
    height = max(image.shape[0] for image in originals)
    sheet = np.full((2 * height + gap, width, 3), 255, dtype=np.uint8)
    left = 0
    for above, below in zip(originals, reconstructions, strict=True):
        sheet[: above.shape[0], left : left + above.shape[1]] = above
        sheet[height + gap : height + gap + below.shape[0], left : left + below.shape[1]] = below
        left += above.shape[1] + gap
    picture = io.BytesIO()
    Image.fromarray(sheet).save(picture, "PNG")
    write_whole(path, picture.getvalue())
