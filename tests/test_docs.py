"""README and docs/ name files, rooms, commands and flags that exist, and all of those that there are."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from made_docs import DOCUMENTS, ROOT, commands, table, text
from made_help import help_of

PACKAGES = ("tfic", "sweep", "analysis")
COMMANDS = {path.name: commands(path.read_text(encoding="utf-8")) for path in DOCUMENTS}
MODULES = sorted({module for found in COMMANDS.values() for module, _ in found})


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in listed.splitlines()]


def test_the_readme_s_map_names_every_room_and_no_other() -> None:
    named = {room for cell in table(text("README.md"), "folder") for room in re.findall(r"[\w/]+/", cell)}
    rooms = {f"{path.parts[0]}/" for path in tracked() if len(path.parts) > 1 and not path.parts[0].startswith(".")}
    rooms |= {f"{path.parent}/" for path in tracked() if path.name == "__init__.py"}
    assert named == rooms


def test_the_map_of_files_names_every_file() -> None:
    architecture = text("docs/architecture.md")
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            assert path.name == "__init__.py" or f"`{path.stem}`" in architecture, f"{path.relative_to(ROOT)}"
    for path in re.findall(r"`((?:tfic|sweep|analysis|docs)/[\w./-]+)`", architecture):
        assert (ROOT / path).exists(), path


def test_the_first_screen_has_one_figure_two_commands_and_three_lines_of_python() -> None:
    screen = text("README.md").partition("\n## ")[0]
    assert len(screen.splitlines()) <= 24
    assert len(re.findall(r"^!\[", screen, re.MULTILINE)) == 1
    shell, python = (
        re.findall(rf"^```{language}\n(.*?)^```", screen, re.MULTILINE | re.DOTALL) for language in ("", "python")
    )
    assert [len(block.splitlines()) for block in shell] == [2]
    assert [len(block.splitlines()) for block in python] == [3]


def test_the_documents_show_the_commands() -> None:
    assert {"sweep.run", "sweep.ingest", "sweep.status", "analysis.report", "analysis.pareto", "tfic"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_every_flag_in_the_documents_is_in_the_help(module: str) -> None:
    for name, found in COMMANDS.items():
        arguments = [each.split() for called, each in found if called == module]
        for verb in {each[0] for each in arguments if each} if module == "tfic" else {""}:
            wanted = {flag for each in arguments if each[:1] == [verb] or not verb for flag in each if flag[:2] == "--"}
            said = set(re.findall(r"--[\w-]+", help_of(module, *verb.split())))
            assert {flag.partition("=")[0] for flag in wanted} <= said, f"{name}: {module} {verb}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_or_a_heading_leads_there(path: Path) -> None:
    document = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", document):
        file, _, heading = target.partition("#")
        assert not file or (path.parent / file).exists(), target
        if heading:
            other = (path.parent / file if file else path).read_text(encoding="utf-8")
            heads = [re.sub(r"[^\w -]", "", head.lower()) for head in re.findall(r"^#+ (.+)", other, re.MULTILINE)]
            assert heading in [head.replace(" ", "-") for head in heads], target


def test_each_document_is_in_the_readme() -> None:
    readme = text("README.md")
    assert [path.name for path in DOCUMENTS if path.name != "README.md" and f"{path.name})" not in readme] == []


def test_make_targets_of_the_readme_exist() -> None:
    makefile, readme = text("Makefile"), text("README.md")
    targets = set(re.findall(r"^make (\w+)|`make (\w+)`", readme, re.MULTILINE))
    names = {name for pair in targets for name in pair if name}
    assert {"demo", "test"} <= names
    assert [name for name in names if f"\n{name}:" not in makefile] == []
    assert "make test" in text(".ci/run")


def test_the_extras_of_the_readme_are_those_of_the_project() -> None:
    extras = {cell.removeprefix("tfic-sweep[").rstrip("]") for cell in table(text("README.md"), "extra")}
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert extras | {"mlflow", "server", "dev"} == project["optional-dependencies"].keys()
