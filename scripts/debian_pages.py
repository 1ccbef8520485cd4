"""A test set of real pages that anyone can make: a hundred pages of documentation that Debian ships as PDF.

    python scripts/debian_pages.py pages                    # pages/110 and pages/150: the same pages at two resolutions
    python scripts/debian_pages.py pages --dpi 200 --count 50
    python scripts/debian_pages.py pages --debs folder      # packages that were downloaded before; no network

The packages are downloaded with `apt-get download`, which needs no root, and unpacked in a temporary folder. Which
pages are taken depends on the packages alone: evenly spread over each of 21 documents, and one page of the reference
card of each of sixteen languages in Latin letters. `import.json` in each folder records the versions.
"""

import argparse
import gzip
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tfic.importing import pdf
from tfic.importing.candidate import Candidate
from tfic.importing.scan_look import ScanLook
from tfic.importing.source import Report, write_pages
from tfic.pages.lines import Page
from tfic.system.cli import bad_input, parser

LATIN = (
    "ca", "cs", "da", "de", "en", "es", "eu", "fi", "fr", "gl", "hu", "id", "it", "lt", "ms", "nb", "nl", "pl", "pt",
    "pt_BR", "ro", "sk", "sv", "tr", "vi",
)  # fmt: skip
"""Languages of the reference cards that are written in Latin letters."""
FEWEST_LINES = 15
"""Lines below which a page is not taken, but the next one: title pages, ends of chapters."""


@dataclass(frozen=True)
class Document:
    """PDF files of a package, and their part of a hundred pages."""

    package: str
    """Name of the package."""
    files: tuple[str, ...]
    """The files under /usr/share, perhaps with `.gz`; of several, each gives one page at most."""
    percent: int = 4
    """Pages of a hundred that come from it."""


DOCUMENTS = (
    Document("bash-doc", ("doc/bash/bashref.pdf",)),
    Document("gnuplot-doc", ("doc/gnuplot/gnuplot.pdf",)),
    Document("maint-guide", ("doc/maint-guide/maint-guide.en.pdf",)),
    Document("debian-policy", ("doc/debian-policy/policy.pdf",)),
    Document("graphviz-doc", ("doc/graphviz/pdf/dotguide.pdf",)),
    Document("r-doc-pdf", ("R/doc/manual/R-intro.pdf",)),
    Document("debian-refcard", tuple(f"doc/debian-refcard/refcard-{each}-a4.pdf" for each in LATIN), 16),
    Document("debian-faq", ("doc/debian/FAQ/debian-faq.en.pdf",)),
    Document("zsh-doc", ("doc/zsh-common/zsh.pdf",)),
    Document("nauty-doc", ("doc/nauty/nug28.pdf",)),
    Document("debian-reference-en", ("debian-reference/debian-reference.en.pdf",)),
    Document("debian-policy", ("doc/debian-policy/fhs/fhs-3.0.pdf",)),
    Document("r-doc-pdf", ("R/doc/manual/R-lang.pdf",)),
    Document("developers-reference", ("developers-reference/developers-reference.pdf",)),
    Document("bash-doc", ("doc/bash/bash.pdf",)),
    Document("graphviz-doc", ("doc/graphviz/pdf/libguide.pdf",)),
    Document("debmake-doc", ("doc/debmake-doc/debmake-doc.en.pdf",)),
    Document("r-doc-pdf", ("R/doc/manual/R-exts.pdf",)),
    Document("r-doc-pdf", ("R/doc/manual/R-FAQ.pdf",)),
    Document("r-doc-pdf", ("R/doc/manual/R-data.pdf",)),
    Document("r-doc-pdf", ("R/doc/manual/R-admin.pdf",)),
    Document("r-doc-pdf", ("R/doc/manual/R-ints.pdf",)),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    described = parser("python scripts/debian_pages.py", __doc__)
    described.add_argument("out", type=Path, metavar="OUT", help="folder for the folders of pages")
    described.add_argument("--dpi", type=int, nargs="+", default=[110, 150], metavar="N", help="resolutions (110 150)")
    described.add_argument("--count", type=int, default=100, metavar="N", help="pages (100)")
    described.add_argument("--debs", type=Path, metavar="DIR", help="folder with the packages, instead of a download")
    try:
        return _make(described.parse_args(arguments))
    except (ValueError, OSError) as error:
        return bad_input(error)


def _make(args: argparse.Namespace) -> int:
    if args.count < len(DOCUMENTS):
        raise ValueError(f"--count is {args.count}; it must be at least {len(DOCUMENTS)}, a page of each document")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        debs = sorted(args.debs.glob("*.deb")) if args.debs else _downloaded(folder / "debs")
        packages = _unpacked(debs, folder / "root")
        numbers = _chosen(folder / "root", args.count)
        for dpi in args.dpi:
            report = Report()
            record = {"source": "Debian's documentation", "packages": packages, "dpi": dpi}
            found = [_candidate(file, number, dpi) for file, number in numbers]
            write_pages(found, args.out / str(dpi), ScanLook(), record, report)
            print(f"{report.sentence()}; in {args.out / str(dpi)}", flush=True)
    return 0


def _packages() -> list[str]:
    """Names of all packages, each once."""
    return list(dict.fromkeys(document.package for document in DOCUMENTS))


def _downloaded(folder: Path) -> list[Path]:
    """The packages, as apt of this machine has them."""
    folder.mkdir()
    names = _packages()
    if not shutil.which("apt-get"):
        raise ValueError(
            f"apt-get is not here; download {', '.join(names)} from a mirror of Debian and name the folder: --debs"
        )
    ran = subprocess.run(["apt-get", "download", *names], cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = " ".join(ran.stderr.split())
        raise ValueError(f"apt-get download failed ({said}); run apt-get update, or name a folder with --debs")
    return sorted(folder.glob("*.deb"))


def _unpacked(debs: list[Path], root: Path) -> dict[str, dict[str, str]]:
    """Version and SHA-256 of each package, unpacked to `root`."""
    found = {}
    for deb in debs:
        fields = subprocess.run(
            ["dpkg-deb", "-f", deb, "Package", "Version"], capture_output=True, text=True, check=True
        )
        stated = dict(line.split(": ", 1) for line in fields.stdout.splitlines())
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        found[stated["Package"]] = {"version": stated["Version"], "sha256": digest}
    missing = [name for name in _packages() if name not in found]
    if missing:
        raise ValueError(
            f"there is no package {', '.join(missing)}; download it, with the others, and name their folder"
        )
    return found


def _shares(count: int) -> list[int]:
    """Pages of each document, at least one, as near to its part of them as whole numbers are."""
    shares = [document.percent * count // 100 or 1 for document in DOCUMENTS]
    while left := count - sum(shares):
        missing = [document.percent * count - 100 * share for document, share in zip(DOCUMENTS, shares, strict=True)]
        if left > 0:
            shares[missing.index(max(missing))] += 1
        else:
            shares[missing.index(min(gap for gap, share in zip(missing, shares, strict=True) if share > 1))] -= 1
    return shares


def _chosen(root: Path, count: int) -> list[tuple[Path, int]]:
    """File and number of each page, from 1."""
    found: list[tuple[Path, int]] = []
    for document, share in zip(DOCUMENTS, _shares(count), strict=True):
        files = [_plain(root / "usr/share" / name) for name in document.files]
        if len(files) > 1:
            spread = [files[i * len(files) // share] for i in range(share)]
            found += [(file, next(_worthy(file, i % 2, 2))) for i, file in enumerate(spread)]
        else:
            total = len(pdf.pages(files[0], PurePosixPath("any")))
            for i in range(share):
                first = (2 * i + 1) * total // (2 * share)
                taken = {number for file, number in found if file == files[0]}
                found.append((files[0], next(each for each in _worthy(files[0], first, total) if each not in taken)))
    return found


def _worthy(file: Path, first: int, total: int) -> Iterator[int]:
    """Numbers of pages with enough lines, from one on and then from the beginning."""
    for i in range(total):
        number = (first + i) % total + 1
        (page,) = pdf.pages(file, PurePosixPath("any"), 72, [number])
        read = page.read()
        if isinstance(read, Page) and len(read.lines) >= FEWEST_LINES:
            yield number
    raise ValueError(f"{file.name} has no further page with {FEWEST_LINES} lines; choose a smaller --count")


def _plain(file: Path) -> Path:
    """A PDF file, unpacked where it is compressed."""
    packed = file.with_name(f"{file.name}.gz")
    if packed.is_file() and not file.is_file():
        file.write_bytes(gzip.decompress(packed.read_bytes()))
    if not file.is_file():
        raise ValueError(
            f"the packages have no {file.name}; they are of another Debian than bookworm, so choose others"
        )
    return file


def _candidate(file: Path, number: int, dpi: int) -> Candidate:
    return pdf.pages(file, PurePosixPath(file.stem), dpi, [number])[0]


if __name__ == "__main__":
    sys.exit(main())
