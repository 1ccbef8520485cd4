"""Tables of results in the documents are what their command prints from the rows that are committed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"<!-- prints: python (?P<command>.+?) -->\n(?P<lines>.+?)\n<!-- end -->", re.DOTALL)
BLOCKS = [
    (path.name, found["command"], found["lines"])
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for found in BLOCK.finditer(path.read_text(encoding="utf-8"))
]


def test_there_are_such_tables() -> None:
    assert {command.split()[0] for _, command, _ in BLOCKS} == {"scripts/transfer.py", "benchmarks/real_pages.py"}


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted({command for _, command, _ in BLOCKS}))
def test_a_table_is_what_its_command_prints(command: str) -> None:
    ran = subprocess.run(
        [sys.executable, *shlex.split(command)], cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    printed = set(ran.stdout.splitlines())
    for name, own, lines in BLOCKS:
        if own == command:
            unknown = [line for line in lines.splitlines() if line not in printed]
            assert not unknown, f"{name}: lines that `python {command}` does not print"
