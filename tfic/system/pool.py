"""A pool of processes that ends with whoever started it, killed or interrupted, and computes on one thread each."""

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import cv2
import torch

Submit = Callable[..., "Future[Any]"]
"""Gives a function and its arguments to a pool."""


@contextlib.contextmanager
def pool(processes: int, imported: Sequence[str] = ()) -> Iterator[Submit]:
    """A pool for a block, as the function that gives it work; it ends after that, or at once on an exception.

    Ctrl-C is left to the process that has the block.

    Args:
        processes: number of processes.
        imported: modules that a process from which the others are forked imports first, once for this program; the
            first call decides. Without any, each process starts and imports for itself.
    """
    context = multiprocessing.get_context("forkserver" if imported else "spawn")
    if imported:
        context.set_forkserver_preload(list(imported))
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(processes, context, _start)

    def submit(function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        with _ignoring_ctrl_c():  # processes start when they are given work
            return executor.submit(function, *arguments)

    done = False
    try:
        yield submit
        done = True
    finally:
        if not done:
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
        executor.shutdown(wait=True, cancel_futures=True)


def _start() -> None:
    warnings.filterwarnings("ignore", module="PIL")  # as the command line does
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # it was killed; nobody waits for what this process makes


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Processes that start in this block ignore Ctrl-C; their parent handles it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
