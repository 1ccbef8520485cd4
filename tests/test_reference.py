"""The API reference builds without a warning, its links lead somewhere, and names in backticks exist everywhere."""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from made_docs import DOCUMENTS, ROOT

SOURCES = sorted(path for name in ("tfic", "sweep", "analysis") for path in (ROOT / name).rglob("*.py"))


@pytest.mark.slow
def test_the_reference_builds_and_every_link_in_it_leads_somewhere(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/build_docs.py", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "tfic.html").read_text(encoding="utf-8")
    assert {"load", "build", "BitstreamError"} <= set(re.findall(r'id="(\w+)"', page))


def test_a_broken_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    (tmp_path / "a.html").write_text('<a id="x" href="#x"></a><a href="b.html#y"></a><a href="c.html"></a>')
    (tmp_path / "b.html").write_text('<a id="z" href="a.html#x"></a><a href="https://example.org/none"></a>')
    found = importlib.import_module("build_docs").broken_links(tmp_path)
    assert found == ["a.html: b.html#y", "a.html: c.html"]


@cache
def names(path: Path) -> frozenset[str]:
    """Names that a file defines or imports, its classes' as Class.name, and those that it loads late."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        found |= defined(node)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for each in node.body for name in defined(each)}
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            found |= set(ast.literal_eval(node.value))
    return frozenset(found)


def defined(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Import() | ast.ImportFrom():
            return {each.asname or each.name for each in node.names}
        case ast.Assign() | ast.AnnAssign():
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return set()


def exists(name: str) -> bool:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        module, rest = ROOT.joinpath(*parts[:count]), ".".join(parts[count:])
        for path in (module.with_suffix(".py"), module / "__init__.py"):
            if path.is_file():
                return not rest or rest in names(path)
    return False


@pytest.mark.parametrize("path", [*SOURCES, *DOCUMENTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_of_ours_in_backticks_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"(?<!`)`((?:tfic|sweep|analysis)(?:\.\w+)+)(?:\([^`]*\))?`(?!`)", text)
    assert [name for name in named if name != "sweep.toml" and not exists(name)] == []
