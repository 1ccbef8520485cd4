"""How a trial and its workers talk (`sweep.on_ray.workers`): questions over a desk, and files where their hosts differ.

A desk is an actor of the trial's process and ends with it; worker 0 waits there for each answer.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import ray

from tfic.files import write_whole


class Desk:
    """Where workers ask and the trial answers."""

    def __init__(self) -> None:
        self._questions: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._count, self._closed = 0, False

    async def ask(self, kind: str, value: Any) -> tuple[bool, Any]:
        """Whether the trial is there, and what it answers."""
        if self._closed:
            return False, None
        self._count += 1
        answer = self._answers[self._count] = asyncio.get_running_loop().create_future()
        await self._questions.put((self._count, (kind, value)))
        return await answer

    async def next(self, wait_s: float) -> tuple[int, Any]:
        """The next question and its number; (0, None) when there is none for so long."""
        try:
            return await asyncio.wait_for(self._questions.get(), wait_s)
        except TimeoutError:
            return 0, None

    async def answer(self, number: int, answer: Any) -> None:
        """Answer a question."""
        self._answers.pop(number).set_result((True, answer))

    async def stay(self) -> None:
        """Return never: who waits for it learns that the desk is gone."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """The trial answers no more."""
        self._closed = True
        for answer in self._answers.values():
            answer.set_result((False, None))
        self._answers.clear()


@dataclass(frozen=True)
class Line:
    """A worker's line to the trial; what ends the block is told there."""

    desk: Any
    """The desk's actor."""
    rank: int
    """The worker's number."""

    def ask(self, kind: str, value: Any = None) -> Any:
        """What the trial answers; RuntimeError when it has ended."""
        there, answer = ray.get(self.desk.ask.remote(kind, value))
        if not there:
            raise RuntimeError("the trial has ended, and with it the training")
        return answer

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            ray.get(self.desk.ask.remote("failure", (self.rank, error)))


class Copies:
    """The files of a training on another host than the trial's, here and there."""

    def __init__(self, line: Line, folder: Path) -> None:
        self._line, self.folder = line, folder
        for name, data in line.ask("files").items():
            write_whole(folder / name, data)
        self._sent = self._stamps()

    def send(self) -> None:
        """Send what is new."""
        for path, stamp in self._stamps().items():
            if self._sent.get(path) != stamp:
                self._line.ask("file", (str(path.relative_to(self.folder)), path.read_bytes()))
                self._sent[path] = stamp

    def _stamps(self) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in self.folder.rglob("*") if path.is_file()}
