"""Which file becomes which is settled before anything is written, and nothing of the user's is lost."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tfic.commands.file_plan import make_folder, plan

READS, WRITES = (".png", ".jpg"), (".tfic",)


@pytest.fixture(autouse=True)
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b/c.JPG", "b/d/e.f.png", "notes.txt", ".hidden.png", ".thumbs/t.png"):
        Path("scans", name).parent.mkdir(parents=True, exist_ok=True)
        Path("scans", name).write_text(name)
    return Path("scans")


def paired(given: str, out: str) -> dict[str, str]:
    return {pair.source.as_posix(): pair.target.as_posix() for pair in plan(given, out, READS, WRITES).pairs}


def refused(given: str, out: str, words: str) -> None:
    before = sorted(Path().rglob("*"))
    with pytest.raises(ValueError, match=words):
        plan(given, out, READS, WRITES)
    assert sorted(Path().rglob("*")) == before


def test_one_file_goes_to_a_file_or_into_a_folder() -> None:
    assert paired("scans/a.png", "x.tfic") == {"scans/a.png": "x.tfic"}
    assert paired("scans/a.png", "scans/b") == {"scans/a.png": "scans/b/a.tfic"}
    assert paired("scans/a.png", "new/") == {"scans/a.png": "new/a.tfic"}
    assert not plan("scans/a.png", "x.tfic", READS, WRITES).several


def test_a_folder_goes_into_a_folder_and_keeps_its_paths() -> None:
    assert paired("scans", "out") == {
        "scans/a.png": "out/a.tfic", "scans/b/c.JPG": "out/b/c.tfic", "scans/b/d/e.f.png": "out/b/d/e.f.tfic",
    }  # fmt: skip
    found = plan("scans", "out", READS, WRITES)
    assert (found.several, found.left_alone) == (True, 1)


def test_a_glob_takes_all_it_matches_and_keeps_paths_below_its_first_wildcard() -> None:
    assert paired("scans/**/*.png", "out") == {"scans/a.png": "out/a.tfic", "scans/b/d/e.f.png": "out/b/d/e.f.tfic"}
    assert paired("scans/*", "out") == {"scans/a.png": "out/a.tfic", "scans/notes.txt": "out/notes.tfic"}
    assert paired(f"{Path.cwd()}/scans/b/*", "out") == {f"{Path.cwd()}/scans/b/c.JPG": "out/c.tfic"}
    assert plan("scans/a.pn?", "out", READS, WRITES).several


def test_a_name_with_brackets_that_exists_is_no_glob() -> None:
    Path("x[1].png").write_text("")
    assert paired("x[1].png", "x.tfic") == {"x[1].png": "x.tfic"}


def test_two_files_that_would_become_one_are_refused() -> None:
    Path("scans/a.jpg").write_text("")
    refused("scans", "out", r"scans/a.jpg and scans/a.png would both be written to out/a.tfic; rename one")


def test_a_source_is_never_overwritten() -> None:
    Path("x.tfic").write_text("")
    os.link("x.tfic", "y.tfic")
    Path("z.tfic").symlink_to("x.tfic")
    for out in ("x.tfic", "./scans/../x.tfic", "y.tfic", "z.tfic"):
        refused("x.tfic", out, "would overwrite x.tfic")
    refused("*.tfic", ".", "would be overwritten")


def test_a_folder_s_own_files_are_not_overwritten_by_results() -> None:
    assert paired("scans", "scans")["scans/a.png"] == "scans/a.tfic"
    Path("scans/a.tfic").write_text("mine")
    refused("scans", "scans/../scans", "would be overwritten where scans/a.png lies")


@pytest.mark.parametrize(
    ("given", "out", "words"),
    [
        ("", "out", "an empty name"),
        ("scans", "", "an empty name"),
        ("none", "out", "no file or folder none"),
        ("none*", "out", r"no file matches 'none\*'"),
        ("scans/*/../*.png", "out", "goes up again after a wildcard"),
        ("scans/b/d", "scans/a.png", "is a file; several files go into a folder"),
        ("scans/a.png", "scans/b/c.JPG", "does not end in .tfic"),
        ("scans/a.png", "none/x.tfic", "there is no folder none"),
        ("empty", "out", r"of 1 files in folder empty no name ends in .png, .jpg"),
        ("pipe", "out", "neither a file nor a folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: str, out: str, words: str) -> None:
    Path("empty").mkdir()
    Path("empty/x.txt").write_text("")
    os.mkfifo("pipe")
    refused(given, out, words)


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Root may read and write everywhere, so it becomes user 65534 for a while; everyone else stays who they are."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)  # the real one too: `os.access` asks for it
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


def test_folders_without_permission_are_told(scans: Path) -> None:
    Path().chmod(0o755)  # pytest keeps its folders to their owner
    (scans / "b").chmod(0)
    try:
        with as_an_ordinary_user():
            with pytest.raises(PermissionError):
                plan("scans", "out", READS, WRITES)
            refused("scans/a.png", "scans/b/", "nothing may be written|Permission")
    finally:
        (scans / "b").chmod(0o755)


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason() -> None:
    make_folder(Path("new/x"))
    Path("new/x/y").touch()
    with pytest.raises(ValueError, match=r"folder new/x/y/z cannot be made \(Not a directory\)"):
        make_folder(Path("new/x/y/z"))
