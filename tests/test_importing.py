"""Pages of every kind of source become a folder that training and testing read."""

import io
import json
from pathlib import Path

import lmdb
import numpy as np
import pytest
from made_pdfs import pdf, picture, shown
from PIL import Image

from tfic.__main__ import main
from tfic.data import read_folder
from tfic.pages.lines import Page


def png(path: Path, size: tuple[int, int] = (120, 60)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 220, 240)).save(path)
    return path


def imported(tmp_path: Path, source: Path, *options: str) -> list[Page]:
    out = tmp_path / "out"
    assert main(["import", str(source), str(out), *options]) == 0
    return read_folder(out, lines_required=False)


def test_pages_of_a_pdf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a manual.pdf"
    file.write_bytes(pdf([shown("one", 20, 100), picture(0, 0, 300, 200), shown("three", 20, 100)]))
    found = imported(tmp_path, file, "--dpi", "72")
    assert [(page.name, page.text, page.size_px) for page in found] == [
        ("a manual-p0001.png", "one", (200, 300)),
        ("a manual-p0003.png", "three", (200, 300)),
    ]
    said = capsys.readouterr().out
    assert said.startswith("2 pages with 2 lines and 0 regions not to be read; left out: 1 without a text layer; in ")
    record = json.loads((tmp_path / "out" / "import.json").read_text())
    assert (record["pages"], record["dpi"], record["skipped"]) == (2, 72, {"without a text layer": 1})


def test_a_folder_of_pdf_files_and_those_below(tmp_path: Path) -> None:
    for name in ("b.pdf", "deep/a.PDF"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pdf([shown(path.stem, 20, 100)]))
    found = imported(tmp_path, tmp_path / "in", "--dpi", "72")
    assert [(page.name, page.text) for page in found] == [("b-p0001.png", "b"), ("deep/a-p0001.png", "a")]


TRUTHS = {
    "2015, with commas, a mark and ends of lines as Windows has them": (
        "\ufeff1,1,50,1,50,20,1,20,Total, net: 1,50\r\n60,1,90,1,90,20,60,20,###\r\n",
        "Total, net: 1,50",
        1,
    ),
    "2017, with scripts": ("1,1,50,1,50,20,1,20,Latin,Hello, you\n60,1,90,1,90,20,60,20,None,###\n", "Hello, you", 1),
    "2013, rectangles": ('1, 1, 50, 20, "Hello"\n60 1 90 20 "you, too"\n', "Hello\nyou, too", 0),
}


@pytest.mark.parametrize("kind", TRUTHS)
def test_images_with_icdar_s_ground_truth(tmp_path: Path, kind: str) -> None:
    rows, text, ignored = TRUTHS[kind]
    png(tmp_path / "in" / "img_1.jpg")
    (tmp_path / "in" / "gt_img_1.txt").write_text(rows, encoding="utf-8", newline="")
    (page,) = imported(tmp_path, tmp_path / "in")
    assert (page.name, page.text, len(page.ignored)) == ("img_1.png", text, ignored)
    assert page.lines[0].quad == ((1, 1), (50, 1), (50, 20), (1, 20))


def test_images_may_lie_elsewhere_and_those_without_truth_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("img_1.png", "img_2.png", "img_3.png"):
        png(tmp_path / "images" / name)
    for name, row in (("gt_img_1.txt", "1,1,50,1,50,20,1,20,Hello"), ("gt_img_2.txt", "1,1,50,1,50,20,1,20,###")):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(row)
    assert len(imported(tmp_path, tmp_path / "in", "--images", str(tmp_path / "images"))) == 1
    said = capsys.readouterr().out
    assert "1 images without ground truth" in said
    assert "1 no region that is to be read" in said


def words(folder: Path, labels: list[str]) -> Path:
    """An LMDB of scene text."""
    picture = io.BytesIO()
    Image.new("L", (64, 20), 90).save(picture, "JPEG")
    with lmdb.open(str(folder), map_size=1 << 20) as made, made.begin(write=True) as writing:
        writing.put(b"num-samples", str(len(labels)).encode())
        for number, label in enumerate(labels, start=1):
            writing.put(f"image-{number:09d}".encode(), picture.getvalue())
            writing.put(f"label-{number:09d}".encode(), label.encode())
    return folder


def test_words_of_an_lmdb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = imported(tmp_path, words(tmp_path / "in", ["Caf\u00e9", "###", "two"]), "--limit", "2")
    assert [(page.name, page.text) for page in found] == [("000000001.png", "Caf\u00e9"), ("000000003.png", "two")]
    assert found[0].lines[0].quad == ((0, 0), (64, 0), (64, 20), (0, 20))
    assert "1 words that are not to be read" in capsys.readouterr().out


def test_a_folder_of_one_s_own_as_if_scanned(tmp_path: Path) -> None:
    png(tmp_path / "in" / "sub" / "a.tif")
    quad = [[10, 10], [60, 10], [60, 30], [10, 30]]
    lines = [{"text": "Hello", "quad": quad}, {"text": "###", "quad": quad}]
    records = [{"file_name": "sub/a.tif", "text": "Hello", "lines": lines}, {"file_name": "b.png", "text": "stated"}]
    png(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "metadata.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    plain = imported(tmp_path, tmp_path / "in")
    assert [(page.name, page.text) for page in plain] == [("sub/a.png", "Hello"), ("b.png", "stated")]
    assert main(["import", str(tmp_path / "in"), str(tmp_path / "scanned"), "--scan", "--skew", "5"]) == 0
    scanned = read_folder(tmp_path / "scanned", lines_required=False)
    assert scanned[0].lines[0].quad != plain[0].lines[0].quad
    assert len(scanned[0].ignored) == 1
    assert not np.array_equal(scanned[1].image, plain[1].image)
