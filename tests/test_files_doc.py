"""docs/files.md says what the tests' tables say."""

from made_doc import DOC, tables, written


def test_the_page_s_tables_are_those_that_the_tests_run() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in text for name in tables())
    assert written(text) == text, "python tests/made_doc.py writes them anew"
