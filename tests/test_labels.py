"""What becomes of labels, as docs/files.md says it."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_labels import FOLDS, LABELS, Fold, Labelled
from PIL import Image

from tfic.data import read_folder
from tfic.measuring.metrics import accuracy, cer
from tfic.ocr.ppocr import alphabet
from tfic.pages.labels import labels
from tfic.pages.lines import Line, normalise, page_text, quad_of

SQUARE = quad_of([[1, 1], [20, 1], [20, 9], [1, 9]])


@pytest.mark.parametrize("fold", FOLDS, ids=lambda fold: fold.comes)
def test_texts_are_folded_on_both_sides_of_every_comparison_or_on_none(fold: Fold) -> None:
    for a, b in fold.pairs:
        for truth, read in ((a, b), (b, a)):
            assert (accuracy(truth, read) == 1) == fold.same
            assert (cer(truth, read) == 0) == fold.same
        assert (page_text([Line(a, SQUARE)]) == page_text([Line(b, SQUARE)])) == fold.same


def test_the_reader_knows_labels_in_their_composed_form() -> None:
    known = alphabet()
    missing = [each for each in known.characters if each.strip() and known.strangers(normalise(each))]
    assert missing == []


@pytest.mark.parametrize("case", LABELS, ids=lambda case: case.comes)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_label_becomes_what_the_table_says(case: Labelled, mark: bytes, tmp_path: Path) -> None:
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")
    record: dict[str, Any] = {"file_name": "a.png", "text": "a", **case.record}
    record = {key: value for key, value in record.items() if value is not None}
    (tmp_path / "metadata.jsonl").write_bytes(mark + json.dumps(record).encode() + b"\n")
    if case.refused:
        with pytest.raises(ValueError, match=rf"metadata.jsonl:1: .*{case.refused}") as refusal:
            read_folder(tmp_path, lines_required=False)
        assert len(str(refusal.value)) < 1000
        return
    (page,) = read_folder(tmp_path)
    assert ([line.text for line in page.lines], len(page.ignored)) == (case.lines, case.ignored)


def test_the_number_of_a_wrong_line_counts_blank_ones(tmp_path: Path) -> None:
    good = b'{"file_name": "a.png", "text": "a", "lines": [{"text": "a", "quad": [[1, 1], [20, 1], [20, 9], [1, 9]]}]}'
    (tmp_path / "metadata.jsonl").write_bytes(good + b"\n\n" + good.replace(b"a.png", b"b.png\\u0000") + b"\n")
    with pytest.raises(ValueError, match=r"metadata.jsonl:3: file_name is 'b.png.x00'"):
        labels(tmp_path)
