"""A machine without everything leaves tests out, and one that must have everything fails them."""

from pathlib import Path

import pytest
from needed import missing, needed

TESTS = sorted(Path(__file__).parent.glob("*.py"))


def test_what_is_missing_skips_a_test_or_fails_it_where_nothing_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFIC_REQUIRE_ALL", "1")
    needed(True, "it is here")
    with pytest.raises(pytest.fail.Exception, match=r"no chromium here \(TFIC_REQUIRE_ALL=1"):
        needed(False, "no chromium here")
    monkeypatch.delenv("TFIC_REQUIRE_ALL")
    with pytest.raises(pytest.skip.Exception, match="no chromium here"):
        needed(False, "no chromium here")


def test_a_reader_that_is_missing_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert missing("ppocrv4").endswith("fetch it with `python -m tfic readers --fetch ppocrv4`")
    assert missing("ppocrv6-small") == ""


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_test_that_may_be_left_out_asks_in_the_one_way(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for way in ("pytest." + "skip(", "mark." + "skip", "import" + "orskip"):
        assert way not in text or path.name == "needed.py", way
