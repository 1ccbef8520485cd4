"""Sources that are wrong: one line, exit code 2, and nothing is written."""

import json
import sys
from pathlib import Path

import lmdb
import pytest
from made_pdfs import pdf, picture, shown
from refusals import refused
from test_importing import png, words

from tfic.__main__ import main

WORDS = {
    "encrypted": "locked.pdf is encrypted; remove its password",
    "scanned": "no page of {} can be taken; left out: 2 without a text layer",
    "broken": "broken.pdf cannot be read as a PDF",
    "no page": "cannot be read as a PDF",
}


def bad_pdf(kind: str) -> tuple[str, bytes]:
    return {
        "encrypted": ("locked.pdf", pdf([shown("one", 20, 100)], encrypted=True)),
        "scanned": ("scan.pdf", pdf([picture(0, 0, 300, 200)] * 2)),
        "broken": ("broken.pdf", b"%PDF-1.4\n" + bytes(range(256))),
        "no page": ("none.pdf", pdf([])),
    }[kind]


@pytest.mark.parametrize("kind", WORDS)
def test_a_pdf_that_cannot_be_the_truth(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, data = bad_pdf(kind)
    (tmp_path / name).write_bytes(data)
    refused(main, ["import", tmp_path / name, tmp_path / "out"], WORDS[kind].format(tmp_path / name), capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,1,500,1,500,20,1,20,off", "gt_img_1.txt: corner [500.0, 1.0] of a quad lies outside of the 120x60 image"),
        ("1,1,1,20,50,20,50,1,wrong way", "gt_img_1.txt:2: quad is [[1.0, 1.0], [1.0, 20.0], [50.0, 20.0], [50"),
        ("1,1,1,1,1,1,1,1,nothing", "without an area; its corners must go clockwise around an area"),
        ("1,1,50,20,50,1,1,20,crossed", "bent inwards or crossed; its corners"),
        ("1,1,50,1,50,20,word", "gt_img_1.txt:2: '1,1,50,1,50,20,word'; a line must be x1,y1,...,x4,y4,text"),
        ("\udcff", "gt_img_1.txt is not UTF-8"),
    ],
)  # fmt: skip
def test_ground_truth_with_impossible_places(
    tmp_path: Path, row: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    for number in (1, 2):
        png(source / f"img_{number}.png")
        rows = f"1,1,50,1,50,20,1,20,right\n{row if number == 1 else ''}\n"
        (source / f"gt_img_{number}.txt").write_bytes(rows.encode("utf-8", "surrogateescape"))
    refused(main, ["import", source, tmp_path / "out"], words, capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    if "UTF-8" not in words:
        assert main(["import", str(source), str(tmp_path / "out"), "--skip-bad"]) == 0
        assert "1 pages with 1 lines" in (said := capsys.readouterr().out)
        assert "1 wrong, the first: " in said


def test_a_region_without_a_script_in_a_folder_with_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    for number in range(100, 122):  # the first twenty say what the folder is like
        png(source / f"img_{number}.png")
        region = "1,1,50,1,50,20,1,20," + ("word" if number == 121 else "Latin,word")
        (source / f"gt_img_{number}.txt").write_text(region + "\n")
    refused(main, ["import", source, tmp_path / "out"], "gt_img_121.txt:1: '1,1,50,1,50,20,1,20,word' names no", capsys)
    assert main(["import", str(source), str(tmp_path / "out"), "--skip-bad"]) == 0
    assert "21 pages with 21 lines" in capsys.readouterr().out


def test_a_folder_s_own_truth_off_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = png(tmp_path / "in" / "a.png").parent
    line = {"text": "x", "quad": [[1, 1], [500, 1], [500, 9], [1, 9]]}
    records = [{"file_name": "a.png", "text": "x", "lines": [line]}, {"file_name": "../b.png", "text": "y"}]
    (source / "metadata.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    refused(main, ["import", source, tmp_path / "out"], "metadata.jsonl:2: file_name is '../b.png'", capsys)
    refused(main, ["import", source, tmp_path / "out", "--skip-bad"], "left out: 2 wrong, the first: ", capsys)
    (source / "metadata.jsonl").write_text(json.dumps(records[0]))
    refused(main, ["import", source, tmp_path / "out"], "metadata.jsonl:1: corner [500.0, 1.0]", capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(("kind", "package"), [("pdf", "pypdfium2"), ("mdb", "lmdb")])
def test_a_package_that_is_missing(
    tmp_path: Path, kind: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.pdf"
    if kind == "pdf":
        source.write_bytes(pdf([shown("one", 20, 100)]))
    else:
        source = words(tmp_path / "in", ["one"])
    monkeypatch.setitem(sys.modules, package, None)
    missing = f"{package} is not installed; pip install 'tfic-sweep[import]'"
    refused(main, ["import", source, tmp_path / "out"], missing, capsys)
    assert not (tmp_path / "out").exists()


def test_an_lmdb_of_something_else_or_a_broken_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lmdb.open(str(tmp_path / "other"), map_size=1 << 20):
        pass
    refused(main, ["import", tmp_path / "other", tmp_path / "out"], "has no num-samples", capsys)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "data.mdb").write_bytes(b"no database" * 1000)
    refused(main, ["import", tmp_path / "torn", tmp_path / "out"], "cannot be read as an LMDB", capsys)
    short = words(tmp_path / "short", ["one"])
    with lmdb.open(str(short), map_size=1 << 20) as made, made.begin(write=True) as writing:
        writing.put(b"num-samples", b"2")
    refused(main, ["import", short, tmp_path / "out"], "has no label-000000002", capsys)
    with lmdb.open(str(short), map_size=1 << 20) as made, made.begin(write=True) as writing:
        writing.put(b"image-000000001", b"no image")
    refused(main, ["import", short, tmp_path / "out"], "image-000000001 cannot be read", capsys)
    assert not (tmp_path / "out").exists()


def test_other_wrong_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "a.pdf").write_bytes(pdf([shown("one", 20, 100)]))
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    png(tmp_path / "full" / "a.png")
    refused(main, ["import", tmp_path / "nowhere", out], "nowhere does not exist; give a PDF file or a folder", capsys)
    refused(main, ["import", tmp_path / "full", out], "full has no pages to import; give a PDF", capsys)
    refused(main, ["import", file, tmp_path / "full"], "full exists already and is no empty folder", capsys)
    refused(main, ["import", file, out, "--dpi", "5"], "dpi is 5; it must be between 20 and 1200", capsys)
    refused(main, ["import", file, out, "--limit", "0"], "limit is 0; it must be at least 1", capsys)
    refused(main, ["import", file, out, "--noise", "-1"], "noise is -1.0; it must be between 0 (none) and 100", capsys)
    refused(main, ["import", tmp_path / "full", out, "--images", tmp_path], "--images names the images of gt_", capsys)
    assert not out.exists()
    assert main(["import", str(file), str(tmp_path / "empty")]) == 0, "an empty folder may be filled"
