"""The documents, and what their tables and commands say."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(document: str) -> list[tuple[str, str]]:
    """Module and arguments of each `python -m MODULE ...` of this project in a document."""
    return re.findall(r"python -m ((?:tfic|sweep|analysis)[\w.]*)((?: [\w./=:-]+)*)", document)


def table(document: str, head: str) -> dict[str, list[str]]:
    """The other cells of each row of a table by its first cell, in which names stand between backticks.

    Args:
        document: the text.
        head: first cell of the table's head.
    """
    rows: dict[str, list[str]] = {}
    for block in re.findall(rf"^\| {head} \|.*\n\| ---.*\n((?:\|.*\n)+)", document, re.MULTILINE):
        for line in block.splitlines():
            first, *others = (cell.strip() for cell in line.strip("|").split(" | "))
            rows[first.strip("`")] = others
    assert rows, f"no table with the head {head!r}"
    return rows


def runs_table(head: str) -> dict[str, set[str]]:
    """Kinds of trials whose runs have each item of a table of docs/runs.md; none where it says "only"."""
    trained = {"pretrain", "finetune", "candidate", "control", "quality", "halfway"}
    groups = {"all": trained | {"uncompressed", "classical"}, "trained": trained}
    found = {}
    for name, (of, *_) in table(text("docs/runs.md"), head).items():
        named = set() if of.startswith("only") else set(of.split(", "))
        found[name] = set().union(*(groups.get(each, {each}) for each in named))
    return found


def settings_of_a_run() -> dict[str, set[str]]:
    """Kinds of trials whose runs have each setting, as the parameter `train.batch`."""
    found = {}
    for prefix, (_, names) in table(text("docs/runs.md"), "settings").items():
        kinds = runs_table("settings")[prefix]
        found |= {f"{prefix}{name}": kinds for name in re.findall(r"`(\w+)`", names)}
    return found
