"""The channel between a trial and its workers (`sweep.on_ray.workers`): questions, answers, and files of other hosts.

A channel is an actor of the trial's process and ends with it; worker 0 waits there for each answer.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from tfic.files import write_whole


class Channel:
    """An actor at which workers ask and the trial answers."""

    def __init__(self) -> None:
        self._questions: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._count, self._closed = 0, False

    async def ask(self, kind: str, value: Any) -> tuple[bool, Any]:
        """Return whether the trial still answers, and its answer."""
        if self._closed:
            return False, None
        self._count += 1
        answer = self._answers[self._count] = asyncio.get_running_loop().create_future()
        await self._questions.put((self._count, (kind, value)))
        return await answer

    async def next(self, wait_s: float) -> tuple[int, Any]:
        """Return the next question with its number, or (0, None) when none has come after so many seconds."""
        try:
            return await asyncio.wait_for(self._questions.get(), wait_s)
        except TimeoutError:
            return 0, None

    async def answer(self, number: int, answer: Any) -> None:
        """Answer a question."""
        self._answers.pop(number).set_result((True, answer))

    async def stay(self) -> None:
        """Never return: a caller that waits for this learns when the channel is gone."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """End the channel: open and later questions are told that the trial does not answer."""
        self._closed = True
        for answer in self._answers.values():
            answer.set_result((False, None))
        self._answers.clear()


@dataclass(frozen=True)
class Connection:
    """A worker's end of the channel."""

    channel: Any
    """The channel's actor."""
    rank: int
    """The worker's number."""

    def ask(self, kind: str, value: Any = None) -> Any:
        """Return the trial's answer; RuntimeError when the trial has ended."""
        there, answer = ray.get(self.channel.ask.remote(kind, value))
        if not there:
            raise RuntimeError("the trial has ended, and with it the training")
        return answer

    @contextmanager
    def failure_told(self) -> Iterator[None]:
        """Tell the trial of an exception that ends the block; it passes through."""
        try:
            yield
        except Exception as error:
            ray.get(self.channel.ask.remote("failure", (self.rank, error)))
            raise


class FileCopies:
    """Copies of a training's files, for a worker on another host than the trial."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection, self.folder = connection, folder
        for name, data in connection.ask("files").items():
            write_whole(folder / name, data)
        self._sent = self._stamps()

    def send(self) -> None:
        """Send the files that are new or have changed."""
        for path, stamp in self._stamps().items():
            if self._sent.get(path) != stamp:
                self._connection.ask("file", (str(path.relative_to(self.folder)), path.read_bytes()))
                self._sent[path] = stamp

    def _stamps(self) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in self.folder.rglob("*") if path.is_file()}
