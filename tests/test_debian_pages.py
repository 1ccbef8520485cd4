"""The script that makes a test set of Debian's documentation: its choice of pages, and what it refuses."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from made_pdfs import pdf, shown
from refusals import refused

FULL = " ".join(shown(f"line {i}", 20, 10 * i, 8) for i in range(1, 18))
SHORT = shown("a title", 20, 100)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "scripts")
    return importlib.import_module("debian_pages")


@pytest.fixture
def root(tmp_path: Path, script: ModuleType) -> Path:
    """The documents as the packages have them: short pages first, then full ones."""
    for document in script.DOCUMENTS:
        for name in document.files:
            file = tmp_path / "usr/share" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pdf([SHORT, FULL] if len(document.files) > 1 else [SHORT, FULL, SHORT, FULL, FULL, FULL]))
    return tmp_path


def test_pages_are_spread_and_those_with_little_text_are_passed_over(script: ModuleType, root: Path) -> None:
    chosen = script._chosen(root, 25)
    assert len(chosen) == len(set(chosen)) == 25
    assert chosen == script._chosen(root, 25)
    bash = [number for file, number in chosen if file.name == "bashref.pdf"]
    assert set(bash) <= {2, 4, 5, 6}
    cards = [file.name for file, _ in chosen if file.parent.name == "debian-refcard"]
    assert len(set(cards)) == len(cards) == 4


def test_every_document_gives_a_page_whatever_their_number(script: ModuleType, root: Path) -> None:
    for count in range(len(script.DOCUMENTS), 201):
        shares = script._shares(count)
        assert (sum(shares), min(shares) > 0) == (count, True)
        parts = [document.percent * count / 100 for document in script.DOCUMENTS]
        assert count < 25 or all(abs(share - part) < 1.01 for share, part in zip(shares, parts, strict=True))
    assert script._shares(100) == [document.percent for document in script.DOCUMENTS]
    files = {file.parent for file, _ in script._chosen(root, len(script.DOCUMENTS))}
    assert {(root / "usr/share" / document.files[0]).parent for document in script.DOCUMENTS} == files


def test_packages_that_are_missing_are_named(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    words = "there is no package bash-doc, gnuplot-doc, maint-guide, debian-policy, graphviz-doc"
    refused(script.main, [tmp_path / "out", "--debs", tmp_path / "empty"], words, capsys)
    refused(script.main, [tmp_path / "out", "--count", "2"], "--count is 2; it must be at least 22", capsys)
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(script.main, [tmp_path / "out"], "apt-get is not here; download bash-doc, gnuplot-doc", capsys)
    assert not (tmp_path / "out").exists()
