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


def catches_everything(handler: ast.ExceptHandler) -> bool:
    names = {each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)} if handler.type else set()
    return not names - {"Exception", "BaseException"}


def reraises(handler: ast.ExceptHandler) -> bool:
    """Whether every path through a handler ends in `raise`, or in `raise ... from` the error that it caught."""

    def ends_in_raise(body: list[ast.stmt]) -> bool:
        match body[-1]:
            case ast.Raise(exc=None):
                return True
            case ast.Raise(cause=ast.Name(id=name)):
                return name == handler.name
            case ast.If(body=first, orelse=second):
                return bool(second) and ends_in_raise(first) and ends_in_raise(second)
        return False

    inside = [each for statement in handler.body for each in ast.walk(statement)]
    nested = any(isinstance(each, (ast.Try, ast.Return, ast.Break, ast.Continue)) for each in inside)
    return ends_in_raise(handler.body) and not nested


@pytest.mark.parametrize(
    ("handler", "allowed"),
    [
        ("except Exception:\n    note()\n    raise", True),
        ("except BaseException as error:\n    raise KeyError('x') from error", True),
        (
            "except Exception as error:\n    if a:\n        raise\n    else:\n        raise KeyError('x') from error",
            True,
        ),
        ("except Exception:\n    note()", False),
        ("except:\n    note()", False),
        ("except Exception:\n    raise KeyError('x')", False),
        ("except Exception as error:\n    if a:\n        raise", False),
        ("except Exception:\n    if a:\n        return\n    raise", False),
        ("except Exception as error:\n    raise KeyError('x') from None", False),
        ("except Exception:\n    try:\n        raise\n    except ValueError:\n        pass\n    raise", False),
        ("except (Exception, BaseException):\n    pass", False),
    ],
)
def test_everything_may_be_caught_only_to_be_raised_again(handler: str, allowed: bool) -> None:
    (found,) = ast.parse(f"def f():\n try:\n  g()\n {handler.replace(chr(10), chr(10) + ' ')}").body
    (caught,) = [each for each in ast.walk(found) if isinstance(each, ast.ExceptHandler) and catches_everything(each)]
    assert reraises(caught) is allowed


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_is_caught_blindly_or_left_to_do(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            assert not catches_everything(node) or reraises(node), f"line {node.lineno} catches everything"
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
