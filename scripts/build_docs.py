"""The API reference: HTML from the docstrings of the public modules, by pdoc; `make docs` runs it.

python scripts/build_docs.py build/docs

A warning of pdoc and a link that leads nowhere are errors: exit code 1.
"""

import importlib
import os
import re
import sys
import warnings
from pathlib import Path

import pdoc

PUBLIC = (
    "tfic", "tfic.errors", "tfic.config", "tfic.recipes", "tfic.pages.images", "tfic.pages.lines", "tfic.data",
    "tfic.measuring.row", "tfic.codec.image_codec", "tfic.codec.bitstream", "tfic.onnx_encoder", "tfic.training.train",
    "tfic.measuring.evaluate", "sweep.spec.space", "analysis.runs", "analysis.front", "analysis.bd", "analysis.stats",
)  # fmt: skip
"""Modules whose names stay, or change with a line in CHANGELOG.md."""


def build(out: Path) -> None:
    """Write the reference into a folder.

    Raises:
        UserWarning: for what pdoc cannot document.
    """
    os.environ.setdefault("PDOC_ALLOW_EXEC", "1")  # libraries look at the processor when they are imported
    for name in PUBLIC:
        importlib.import_module(name)
    tfic = sys.modules["tfic"]
    vars(tfic).update({name: getattr(tfic, name) for name in tfic.__all__})  # pdoc sees no names that load late
    pdoc.render.configure(docformat="google", show_source=False, footer_text="TFIC Sweep")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        pdoc.pdoc(*PUBLIC, output_directory=out)


def broken_links(out: Path) -> list[str]:
    """Links within the reference to pages and anchors that it does not have, each with the page that has the link."""
    pages = {
        path: re.sub(r"<script.*?</script>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for path in sorted(out.rglob("*.html"))
    }
    anchors = {path.resolve(): set(re.findall(r'\bid="([^"]+)"', page)) for path, page in pages.items()}
    broken = []
    for path, page in pages.items():
        for href in sorted(set(re.findall(r'href="([^"]*)"', page))):
            file, _, anchor = href.partition("#")
            if re.match(r"\w+:", href) or href == "#":
                continue
            target = (path.parent / file).resolve() if file else path.resolve()
            if target not in anchors or (anchor and anchor not in anchors[target]):
                broken.append(f"{path.relative_to(out)}: {href}")
    return broken


def main() -> int:
    """Build the reference and return the exit code."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")
    build(out)
    broken = broken_links(out)
    print("\n".join(["links that lead nowhere:", *broken]) if broken else f"{out / 'index.html'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
