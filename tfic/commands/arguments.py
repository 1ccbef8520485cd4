"""The arguments of `tfic import` and of the verbs on files."""

import argparse
from pathlib import Path
from typing import NoReturn

from tfic.checkpoints import models
from tfic.system.cli import Parser
from tfic.system.store_uri import DEFAULT

STOPPED = "files that were finished are whole, and no others are left"
"""The state of files after a command was interrupted, for its last line."""


class CommandParser(Parser):
    """The parser of the command line, and of each command."""

    def error(self, message: str) -> NoReturn:
        """As `Parser.error`, with what to do about a glob that the shell has expanded."""
        hint = "; put a glob in quotes" if message.startswith("unrecognized arguments") else ""
        super().error(message + hint)


def add_import(commands: "argparse._SubParsersAction[CommandParser]") -> argparse.ArgumentParser:
    """Add `tfic import`, and return its parser."""
    command = commands.add_parser(
        "import", help="pages of PDF, ICDAR, LMDB or a folder into a folder with metadata.jsonl"
    )
    add = command.add_argument
    add("source", type=Path, metavar="SOURCE", help="a PDF, or a folder of PDFs, gt_*.txt, metadata.jsonl or data.mdb")
    add("out", type=Path, metavar="OUT", help="folder to write; it must not exist, or be empty")
    add("--dpi", type=float, default=150.0, metavar="N", help="pixels per inch of the pages of a PDF (150)")
    add("--images", type=Path, metavar="DIR", help="images of gt_*.txt, where they lie elsewhere")
    add("--limit", type=int, metavar="N", help="take at most so many pages, from the first")
    add("--skip-bad", action="store_true", help="leave out and count what is wrong, instead of refusing all")
    add("--scan", action="store_true", help="as if printed and scanned: all four of the following, mildly")
    add("--skew", type=float, metavar="DEG", help="largest angle by which pages lie askew, in degrees")
    add("--blur", type=float, metavar="PX", help="standard deviation of a blur, in pixels")
    add("--noise", type=float, metavar="LEVELS", help="standard deviation of the grain, in grey levels of 255")
    add("--jpeg", type=int, metavar="Q", help="quality of a JPEG through which the pages go")
    add("--seed", type=int, default=0, metavar="S", help="angle and grain of a page depend on (seed, name) alone (0)")
    return command


def add_file_commands(commands: "argparse._SubParsersAction[CommandParser]") -> None:
    """Add the verbs on files: `encode`, `decode`, `info`, `read` and `export`."""
    for verb, about, of, to in (
        ("encode", "images to .tfic files", "images", "a .tfic file, or a folder"),
        ("decode", ".tfic files to images", ".tfic files", "a .png, .bmp, .tif or .ppm file, or a folder"),
    ):
        command = commands.add_parser(verb, help=about)
        command.add_argument("input", metavar="IN", help=f"a file, a folder of {of}, or a glob in quotes")
        command.add_argument("output", metavar="OUT", help=f"{to}; a folder for several files")
        command.add_argument("--model", required=True, help=models.FORMS)
        command.add_argument(
            "--workers", type=int, metavar="N", help="processes for several files (one for every 50 files)"
        )
    add_quality(commands.choices["encode"])
    info = commands.add_parser("info", help="what a .tfic file or a model says of itself")
    info.add_argument("file", metavar="FILE", help="a .tfic file, or a model")
    info.add_argument("--model", default="", help="also tell whether this model wrote the .tfic file")
    read = commands.add_parser("read", help="print the text that the reader finds on an image")
    read.add_argument("image", metavar="IMAGE", help="an image, or a .tfic file")
    read.add_argument("--model", default="", help="model that decodes the .tfic file")
    read.add_argument("--heldout", action="store_true", help="read with Tesseract, which no codec is trained against")
    export = commands.add_parser("export", help="the encoder as an ONNX graph, for tfic.onnx_encoder.OnnxEncoder")
    export.add_argument("output", metavar="OUT", help="the .onnx file to write")
    export.add_argument("--model", required=True, help=models.FORMS)
    export.add_argument("--height", type=int, required=True, metavar="PX", help="height of the images to encode")
    export.add_argument("--width", type=int, required=True, metavar="PX", help="width of the images to encode")
    for verb in ("encode", "decode", "info", "read", "export"):
        add_tracking_uri(commands.choices[verb])
        commands.choices[verb].set_defaults(verb=verb, stopped=STOPPED)


def add_quality(command: argparse.ArgumentParser) -> None:
    """Add the quality that is asked of a codec that has several."""
    words = "0 (fewest bits) to 100, for a lite-vbr (the model's own)"
    command.add_argument("--quality", type=float, metavar="Q", help=words)


def add_tracking_uri(command: argparse.ArgumentParser) -> None:
    """Add the store in which models are looked up."""
    words = f"MLflow store of runs:/ and models:/ ($MLFLOW_TRACKING_URI, else {DEFAULT})"
    command.add_argument("--tracking-uri", default="", metavar="URI", help=words)
