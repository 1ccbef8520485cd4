"""Uploads of a training's state, while the training goes on."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType

FOLDER = "uploading"
"""Folder in a training's directory for copies of the files that are being uploaded."""
LAST_S = 5.0
"""Longest to wait for the last upload of a training that failed, in seconds."""


class Uploads:
    """Sends files with the step that they are of, one set after the other, as a context: on leaving it they are sent.

    A training waits for an upload when the next one is due, so the store is never more than one behind.

    Args:
        send: Takes the step and the files, which are copies; called in a thread.
        workdir: The training's directory.
    """

    def __init__(self, send: Callable[[int, Sequence[Path]], None], workdir: Path) -> None:
        self._send, self._folder = send, workdir / FOLDER
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="uploads")
        self._last: Future[None] | None = None

    def put(self, step: int, files: Sequence[Path]) -> None:
        """Begin to send files as they are now; what the upload before this one raised is raised here."""
        self._finish()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        copies = [Path(shutil.copyfile(file, self._folder / file.name)) for file in files]
        self._last = self._thread.submit(self._send, step, copies)

    def __enter__(self) -> "Uploads":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        elif self._last is not None:
            wait([self._last], LAST_S)
        self._thread.shutdown(wait=error is None)
        if self._last is None or self._last.done():
            shutil.rmtree(self._folder, ignore_errors=True)

    def _finish(self) -> None:
        if self._last is not None:
            self._last.result()
            self._last = None
