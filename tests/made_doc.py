"""Writes the tables of docs/files.md from those that the tests run: `python tests/made_doc.py`."""

import re
from collections.abc import Iterable
from pathlib import Path

from made_kinds import kinds
from made_labels import FOLDS, LABELS

DOC = Path(__file__).parent.parent / "docs" / "files.md"


def written(text: str) -> str:
    """The page with its tables as they are now."""
    for name, rows in tables().items():
        table = "\n".join(
            ["| what comes | what becomes of it |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)]
        )
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda found, t=table: f"{found[1]}{t}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


def tables() -> dict[str, Iterable[tuple[str, str]]]:
    """The rows of each table by the name of its place in the page."""
    named = {"images": kinds(), "texts": FOLDS, "labels": LABELS}
    return {name: [(each.comes, each.becomes) for each in table] for name, table in named.items()}


if __name__ == "__main__":
    DOC.write_text(written(DOC.read_text(encoding="utf-8")), encoding="utf-8")
