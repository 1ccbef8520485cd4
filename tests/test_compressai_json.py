"""Results in CompressAI's form are read beside a sweep and written from it."""

import json
import math

import pytest
from refusals import refused

from analysis import compressai_json, pareto, runs

PUBLISHED = {
    "name": "mbt2018-mean",
    "description": "Inference (ans)",
    "results": {"bpp": [0.1, 0.2], "psnr-rgb": [28.0, 30.5], "ms-ssim-rgb": [0.9, 0.95], "encoding_time": [0.05, 0.06]},
}


def test_a_file_becomes_points_with_times_in_ms_and_no_accuracy(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(PUBLISHED))
    points = compressai_json.read(tmp_path / "a.json")
    assert points["psnr_db"].tolist() == [28.0, 30.5]
    assert points["encode_ms"].tolist() == [50.0, 60.0]
    assert points["accuracy"].isna().all()
    assert set(points["family"]) == {"mbt2018-mean"}


def test_the_table_shows_published_codecs_beside_those_of_the_sweep(tracking_uri, tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps(PUBLISHED))
    arguments = ["--tracking-uri", tracking_uri, "--compare", str(tmp_path / "a.json"), "--csv"]
    assert pareto.main(arguments) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("trial_key,kind,family")
    assert len(lines) == 21
    assert sum("mbt2018-mean" in line for line in lines) == 2


def test_what_is_written_is_read_again_with_accuracies(tracking_uri, tmp_path, capsys):
    assert pareto.main(["--tracking-uri", tracking_uri, "--compressai", str(tmp_path / "out")]) == 0
    files = [tmp_path / "out" / f"{name}.json" for name in ("tfic", "baseline", "jpeg", "webp", "avif")]
    assert capsys.readouterr().out.split() == [str(file) for file in files]
    written = json.loads(files[0].read_text())
    assert {"bpp", "psnr-rgb", "ms-ssim-rgb", "encoding_time", "decoding_time", "accuracy"} <= set(written["results"])
    points = runs.load(tracking_uri, "demo").points
    wanted = points[points["family"] == "TFIC"].sort_values("bpp")
    back = compressai_json.read(files[0])
    for metric in ("bpp", "accuracy", "psnr_db", "encode_ms"):
        assert all(math.isclose(a, b) for a, b in zip(back[metric], wanted[metric], strict=True)), metric


@pytest.mark.parametrize("name", ["avif", "JPEG", "../out", "a/b", "mbt2018-mean"])
def test_what_is_written_is_the_sweep_s_alone_whatever_published_codecs_are_called(
    tracking_uri, tmp_path, capsys, name
):
    (tmp_path / "a.json").write_text(json.dumps({**PUBLISHED, "name": name}))
    plain, beside = tmp_path / "plain", tmp_path / "beside"
    arguments = ["--tracking-uri", tracking_uri, "--name", "demo", "--compressai"]
    assert pareto.main([*arguments, str(plain)]) == 0
    assert pareto.main([*arguments, str(beside), "--compare", str(tmp_path / "a.json")]) == 0
    capsys.readouterr()
    files = sorted(plain.iterdir())
    assert [file.name for file in sorted(beside.iterdir())] == [file.name for file in files]
    assert all((beside / file.name).read_bytes() == file.read_bytes() for file in files)
    assert len(list(tmp_path.rglob("*.json"))) == 2 * len(files) + 1


def test_a_published_codec_is_a_family_of_its_own_whatever_it_is_called(tracking_uri, tmp_path):
    points = runs.load(tracking_uri, "demo").points
    for number, name in enumerate(("JPEG", "jpeg", "mine", "mine")):
        (tmp_path / f"{number}.json").write_text(json.dumps({**PUBLISHED, "name": name}))
    found = compressai_json.with_published(points, sorted(tmp_path.glob("*.json")))
    assert found["trial_key"].is_unique
    assert len(found[found["family"] == "JPEG"]) == 3
    assert set(found.loc[found["kind"] == "published", "family"]) == {
        "JPEG (published)", "jpeg (published, 2)", "mine", "mine (published)",
    }  # fmt: skip


def test_file_names_are_letters_and_digits(tracking_uri, tmp_path):
    points = runs.load(tracking_uri, "demo").points
    points["family"] = points["family"].replace({"JPEG": "AVIF 4:4:4", "WebP": "../JPEG, text alone"})
    files = compressai_json.write(points, "demo", tmp_path)
    names = sorted(file.name for file in files)
    assert names == ["avif-4-4-4.json", "avif.json", "baseline.json", "jpeg-text-alone.json", "tfic.json"]
    assert {file.parent for file in files} == {tmp_path}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is not JSON in UTF-8 (Expecting value: line 1 column 1 (char 0))"),
        (b'{"name": "\xfc"}', "it is not JSON in UTF-8 ('utf-8' codec can't decode byte 0xfc"),
        (b"[1]", "the whole is no JSON object, {...}"),
        (b"{}", "it has no `name` and no `results`"),
        (b'{"results": {"bpp": [1]}}', "it has no `name`"),
        (b'{"name": "a", "results": {"psnr": [1]}}', "it has no `results.bpp`"),
        (b'{"name": "a", "results": [1]}', "`results` is no JSON object, {...}"),
        (b'{"name": "a", "results": {"bpp": [1], "psnr": [null]}}', "`psnr` is no list of numbers"),
        (b'{"name": "a", "results": {"bpp": ["x"]}}', "`bpp` is no list of numbers"),
        (b'{"name": "a", "results": {"bpp": 1}}', "`bpp` is no list of numbers"),
        (b'{"name": "a", "results": {"bpp": [1], "psnr": [1, 2]}}', "its lists differ in length: `bpp` 1, `psnr` 2"),
        (b'{"name": "a", "results": {"bpp": []}}', "its lists are empty"),
    ],
)
def test_another_file_is_refused_in_one_line_that_says_what_is_wrong(tracking_uri, tmp_path, capsys, data, why):
    file = tmp_path / "a.json"
    file.write_bytes(data)
    arguments = ["--tracking-uri", tracking_uri, "--compare", str(file)]
    refused(pareto.main, arguments, f"a.json is no results file of CompressAI: {why}", capsys)


def test_a_file_that_cannot_be_read_is_told_from_one_of_another_form(tmp_path):
    with pytest.raises(
        ValueError, match=r"nope\.json cannot be read \(No such file or directory\); name a results file"
    ):
        compressai_json.read(tmp_path / "nope.json")
    with pytest.raises(ValueError, match=r"cannot be read \(Is a directory\)"):
        compressai_json.read(tmp_path)
