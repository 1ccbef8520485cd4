"""States are uploaded beside the training, as they were when they were due, and an upload that fails ends it."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from sweep.trial.uploads import FOLDER, Uploads


class RefusedError(Exception):
    """What a store says."""


def test_a_training_goes_on_while_a_state_is_sent_and_what_is_sent_is_what_it_was(tmp_path: Path) -> None:
    state, go, sent = tmp_path / "state.pt", threading.Event(), []

    def send(step: int, files: Sequence[Path]) -> None:
        assert go.wait(10)
        sent.append((step, [file.read_text() for file in files]))

    with Uploads(send, tmp_path) as uploads:
        state.write_text("first")
        uploads.put(1, [state])
        state.write_text("second")
        assert sent == []
        go.set()
        uploads.put(2, [state])
        assert sent == [(1, ["first"])]
    assert sent == [(1, ["first"]), (2, ["second"])]
    assert not (tmp_path / FOLDER).exists()


def refuse(step: int, files: Sequence[Path]) -> None:
    raise RefusedError("full")


def put(workdir: Path, times: int, end: Exception | None = None) -> None:
    """Upload a state so many times, then fail if told so."""
    state = workdir / "state.pt"
    state.write_text("first")
    with Uploads(refuse, workdir) as uploads:
        for step in range(times):
            uploads.put(step, [state])
        if end is not None:
            raise end


@pytest.mark.parametrize("times", [1, 2])
def test_an_upload_that_fails_is_raised_at_the_next_one_or_at_the_end(tmp_path: Path, times: int) -> None:
    with pytest.raises(RefusedError, match="full"):
        put(tmp_path, times)


def test_a_training_that_fails_says_so_and_not_what_its_upload_says(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="training"):
        put(tmp_path, 1, KeyError("training"))
