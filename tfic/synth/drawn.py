"""A set of synthetic images: drawn once on all cores, kept on disk, and checked by checksums when it is read."""

import fcntl
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import cv2
import faker
import numpy as np
import PIL

from tfic.pages.contents import cache_root, digest
from tfic.pages.lines import Line, Page, StoredPage, quad_of
from tfic.synth import typefaces, worker
from tfic.synth.page import DRAWING_VERSION, check_numbers
from tfic.synth.typefaces import Face
from tfic.system.cores import usable_cores

IMAGES_PER_PROCESS = 16
"""Least images worth a process of their own, which takes as long to start as it takes to draw about fifty."""

REDRAWN = 2
"""Raised when sets in the cache are not to be trusted, although their version draws the same pixels."""


@dataclass(frozen=True)
class SetSpec:
    """Everything that decides the images of a set."""

    seed: int
    """Seed, from 0."""
    split: str
    """"train" or "test"."""
    count: int
    """Images, from 1."""
    height_px: int = 256
    """Height of each in pixels."""
    width_px: int = 256
    """Width of each in pixels."""
    fonts: tuple[Face, ...] | None = None
    """The faces; None for those that ship."""
    photographs: tuple[Path, ...] | None = None
    """Photographs for backgrounds, besides the drawn ones."""
    document_share: float = 0.0
    """Share of the images that are pages of documents, 0 to 1."""

    @property
    def key(self) -> str:
        """Name of the set in the cache: changes with anything that changes a pixel, library versions included.

        Fonts and photographs count by their bytes.
        """
        faces = typefaces.shipped(self.split) if self.fonts is None else self.fonts
        by_folder: dict[Path, list[str]] = {}
        for path in self.photographs or ():
            by_folder.setdefault(path.parent, []).append(path.name)
        parts: dict[str, Any] = {
            "drawing": [DRAWING_VERSION, REDRAWN],
            "libraries": [np.__version__, PIL.__version__, cv2.__version__, faker.VERSION],
            "set": [self.seed, self.split, self.count, self.height_px, self.width_px],
            "fonts": [[face.family, hashlib.sha256(face.path.read_bytes()).hexdigest()] for face in faces],
            "photographs": [[str(folder), digest(folder, names)] for folder, names in by_folder.items()],
        }
        if self.document_share:
            parts["documents"] = self.document_share
        return f"{self.split}-{self.count}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]}"

    def job(self, array: Path, offset: int, start: int, step: int) -> dict[str, Any]:
        """The job with which `tfic.synth.worker` draws every `step`-th image from `start` on."""
        return {
            "seed": self.seed, "split": self.split, "count": self.count,
            "height_px": self.height_px, "width_px": self.width_px,
            "fonts": None if self.fonts is None else [[face.family, str(face.path)] for face in self.fonts],
            "photographs": None if self.photographs is None else [str(path) for path in self.photographs],
            "document_share": self.document_share, "array": str(array), "offset": offset, "start": start, "step": step,
        }  # fmt: skip


class DrawnSet(Sequence[Page]):
    """The pages of a set in the cache; picklable at the cost of the lines alone."""

    def __init__(self, spec: SetSpec, folder: Path, rows: list[dict[str, Any]], offset: int) -> None:
        """`offset` is where the pixels begin in `images.npy`, in bytes."""
        self._spec = spec
        self._folder = folder
        self._rows = rows
        self._offset = offset

    def __len__(self) -> int:
        return self._spec.count

    @overload
    def __getitem__(self, index: int) -> Page: ...
    @overload
    def __getitem__(self, index: slice) -> list[Page]: ...
    def __getitem__(self, index: int | slice) -> Page | list[Page]:
        """A page, whose image is read when it is asked for."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number, spec = range(len(self))[index], self._spec
        lines = tuple(Line(each["text"], quad_of(each["quad"])) for each in self._rows[number]["lines"])
        name, size_px = f"{spec.split}-{number:06d}.png", (spec.height_px, spec.width_px)
        return StoredPage(name, size_px, partial(self._image, number), lines)

    def _image(self, number: int) -> np.ndarray:
        """The pixels of a page; those on disk that have changed are drawn anew."""
        shape = _shape(self._spec)[1:]
        size = math.prod(shape)
        image = np.fromfile(self._folder / "images.npy", np.uint8, size, offset=self._offset + number * size)
        image = image.reshape(shape)
        if zlib.crc32(image.tobytes()) != self._rows[number]["crc"]:
            return worker.page_of(self._spec.job(self._folder, 0, 0, 1), number).image
        return image


def drawn_set(spec: SetSpec, processes: int | None = None) -> DrawnSet:
    """The set, from the cache or else drawn into it; of several processes that want it at once, one draws.

    Args:
        spec: which images.
        processes: number of processes that draw; one per usable core by default. The images do not depend on it.

    Raises:
        ValueError: for a count below 1, sizes or seeds that `draw` refuses, or a cache folder that cannot be written.
        RuntimeError: when a drawing process dies.
    """
    if spec.count < 1:
        raise ValueError(f"{spec.split} count is {spec.count}; it must be at least 1")
    check_numbers(spec.seed, spec.height_px, spec.width_px, spec.document_share)  # before the disk is asked for room
    root, key = cache_root(), spec.key
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / f"{key}.lock").open("w")
    except OSError as error:
        raise ValueError(
            f"images cannot be kept in {root} ({error}); set XDG_CACHE_HOME to a writable folder"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        final = root / key
        kept = _kept(spec, final)
        if kept is not None:
            return kept
        fresh = root / f"{key}.new"  # ours alone under the lock; what a killed process left is cleared away
        for stale in (fresh, final):
            shutil.rmtree(stale, ignore_errors=True)
        try:
            fresh.mkdir()
            _fill(spec, fresh, processes or usable_cores())
            fresh.rename(final)
        except OSError as error:
            raise ValueError(
                f"images cannot be kept in {root} ({error.strerror or error}); make room there, or set XDG_CACHE_HOME "
                "to a writable folder with room"
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)  # not there any more where all went well
        made = _kept(spec, final)
        assert made is not None, f"{final} was written and cannot be read back"
        return made


def _kept(spec: SetSpec, folder: Path) -> DrawnSet | None:
    """The set in that folder; None when it is not there, or not whole."""
    try:
        head, _, body = (folder / "lines.jsonl").read_text(encoding="utf-8").partition("\n")
        images = np.load(folder / "images.npy", mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):  # missing; cut short or no longer text or an array
        return None
    whole = head == _head(body) and images.shape == _shape(spec) and images.dtype == np.uint8
    return DrawnSet(spec, folder, [json.loads(row) for row in body.splitlines()], images.offset) if whole else None


def _head(body: str) -> str:
    return f"crc32 {zlib.crc32(body.encode()):08x}"


def _shape(spec: SetSpec) -> tuple[int, int, int, int]:
    return spec.count, spec.height_px, spec.width_px, 3


def _fill(spec: SetSpec, folder: Path, processes: int) -> None:
    """Draw the whole set into `images.npy` and `lines.jsonl` of the folder."""
    array = folder / "images.npy"
    images = np.lib.format.open_memmap(array, mode="w+", dtype=np.uint8, shape=_shape(spec))
    offset, size = int(images.offset), int(images.nbytes)
    del images
    with array.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, offset + size)  # a full disk is told now, not in the middle
    processes = max(1, min(processes, spec.count // IMAGES_PER_PROCESS))
    jobs = [spec.job(array, offset, start, processes) for start in range(processes)]
    rows = list(worker.rows(jobs[0])) if processes == 1 else _in_processes(jobs)
    body = "".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda row: int(row["index"])))
    (folder / "lines.jsonl").write_text(_head(body) + "\n" + body, encoding="utf-8")


def _in_processes(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of all jobs, each drawn by a process of its own."""
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([home] + [each for each in (os.environ.get("PYTHONPATH"),) if each])
    # -P keeps the working folder, where anything may lie, off the module path.
    command = [sys.executable, "-P", "-m", "tfic.synth.worker"]
    workers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        for _ in jobs
    ]  # fmt: skip
    with ThreadPoolExecutor(len(workers)) as threads:
        try:
            outputs = list(threads.map(lambda each, job: each.communicate(json.dumps(job))[0], workers, jobs))
        finally:
            for each in workers:
                if each.poll() is None:
                    each.kill()
    rows = [json.loads(line) for output in outputs for line in output.splitlines()]
    for row in rows:
        if "error" in row:
            raise ValueError(row["error"])
    for each in workers:
        if each.returncode != 0:
            raise RuntimeError(f"a drawing process ended with code {each.returncode}; its own words are above")
    return rows
