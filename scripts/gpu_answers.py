"""Answers of a GPU: kept in a file one by one, asked for again where they failed, and shown as a table."""

import json
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tfic
from tfic.system.files import write_whole
from tfic.training import distributed

Answers = dict[str, Any]
Row = tuple[str, Callable[[], object]]  # what is asked, and what finds the answer
FAILED = "failed: "


def answer(question: str, rows: Iterable[Row], device: str, out: Path) -> list[str]:
    """Ask what is missing or failed in the file `out`, keep each answer there at once, and return what failed.

    Args:
        question: Name of the question.
        rows: What it asks, row by row.
        device: Who answers; the answers of another one are dropped.
        out: JSON of all questions; of several ranks the first one writes.

    An error's frames hold the memory of its row, so the sentence alone is kept.
    """
    answers, failed = kept(out), []
    if answers.get(question, {}).get("device") != device:
        answers[question] = {"device": device}
    for what, ask in rows:
        if not str(answers[question].get(what, FAILED)).startswith(FAILED):
            continue
        try:
            value = ask()
        except RuntimeError as error:  # the reason is kept, and the caller fails when the other rows are there
            value = f"{FAILED}{type(error).__name__}: {str(error).splitlines()[0]} at {place(error)}"
            failed.append(f"{question}, {what} {value}")
        answers[question][what] = value
        if distributed.rank() == 0:
            write_whole(out, json.dumps(answers, indent=1).encode())
    return failed


def kept(out: Path) -> Answers:
    """The answers in a file, none where there is no file."""
    found: Answers = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    return found


def table(answers: Answers, questions: Iterable[str]) -> str:
    """The answers to these questions as Markdown."""
    rows = ["| question | of | answer |", "| --- | --- | --- |"]
    for name in questions:
        for what, value in answers.get(name, {"": "not asked yet"}).items():
            rows.append(f"| {name} | {what} | {_shown(value)} |")
    return "\n".join(rows)


def place(error: BaseException) -> str:
    """The innermost line of `tfic` that an error came through."""
    package = Path(tfic.__file__).parent
    frames = [each for each in traceback.extract_tb(error.__traceback__) if package in Path(each.filename).parents]
    return (
        f"{Path(frames[-1].filename).relative_to(package.parent)}:{frames[-1].lineno}" if frames else "no line of tfic"
    )


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
