"""One tree of exceptions, listed in one place."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import tfic.errors
from tfic import TficError
from tfic.codec.bitstream import BitstreamError

ROOT = Path(__file__).parent.parent
LISTED = re.findall(r"── (\w+)(?: \((\w+)\))? +([\w.]+) ", tfic.errors.__doc__ or "")


def defined() -> set[tuple[str, str]]:
    """Name and module of every exception class in the sources of the packages."""
    found = set()
    for package in ("tfic", "sweep", "analysis"):
        for path in (ROOT / package).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                bases = [ast.unparse(each) for each in node.bases] if isinstance(node, ast.ClassDef) else []
                if any(re.search(r"(Error|Exception|Interrupt|Exit|Warning)$", base) for base in bases):
                    assert isinstance(node, ast.ClassDef)
                    found.add((node.name, module))
    return found


def test_every_exception_is_in_the_list() -> None:
    listed = {(name, module) for name, _, module in LISTED}
    assert defined() == {*listed, ("TficError", "tfic.errors")}
    assert len(listed) >= 7


@pytest.mark.parametrize(("name", "builtin", "module"), LISTED)
def test_each_exception_is_in_the_tree_and_the_built_in_one_that_the_list_names(
    name: str, builtin: str, module: str
) -> None:
    found = getattr(importlib.import_module(module), name)
    assert name.endswith("Error")
    assert issubclass(found, TficError)
    assert [each.__name__ for each in found.__bases__ if each is not TficError] == ([builtin] if builtin else [])
    assert str(found("a sentence")) == "a sentence"


def test_a_caller_that_catches_value_error_still_gets_a_bad_file() -> None:
    with pytest.raises(ValueError, match="no TFIC"):
        raise BitstreamError("no TFIC file")
