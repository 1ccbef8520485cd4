"""The rules of CONTRIBUTING.md that a machine can check."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tfic", "sweep", "analysis")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted(Path(__file__).parent.glob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=module_name)
def test_a_file_is_short_and_says_first_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300, "look for the second idea"
    assert ast.get_docstring(ast.parse(text)), "no docstring"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_is_caught_blindly_or_left_to_do(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            names = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)} if node.type else set()
            assert names - {"Exception", "BaseException"}, f"line {node.lineno} catches everything"
            assert not all(isinstance(each, ast.Pass) for each in node.body), f"line {node.lineno} swallows an error"
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_private_name_is_read_where_it_was_made_and_nowhere_else(path: Path) -> None:
    read = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGES):
            read += [each.name for each in node.names]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "super()"):
            read.append(node.attr)
    assert not [name for name in read if re.match(r"_(?!_)", name) and name != "_exit"], "`os._exit` alone is public"


def test_there_are_no_drawers_for_odds_and_ends() -> None:
    assert not [path for path in [*SOURCES, *TESTS] if path.stem in ("utils", "common", "base", "helpers", "misc")]


def test_every_public_function_and_class_has_a_docstring() -> None:
    missing = []
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                missing.append(f"{module_name(path)}.{node.name}")
    assert not missing


def test_what_installs_names_no_host_and_nothing_names_anyone_s_home() -> None:
    for name in (
        "constraints.txt",
        "pyproject.toml",
        "Makefile",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LOG.md",
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert name.endswith(".md") or "://" not in text, name
        assert not re.search(r"/(?:home|root|Users)/", text), name
