"""Answers of a GPU are kept one by one, and those that failed are asked for again."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

import tfic

ROOT = Path(__file__).parent.parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("gpu_answers")


def test_each_answer_is_kept_when_it_is_there_and_what_failed_alone_is_asked_again(
    script: ModuleType, tmp_path: Path
) -> None:
    out = tmp_path / "answers.json"
    asked, broken = [], True

    def kept() -> dict[str, object]:
        return dict(json.loads(out.read_text())["speed"])

    def compile_it() -> str:
        asked.append("compiled")
        assert kept() == {"device": "this one", "first": 1.0} | ({} if broken else before)
        if broken:
            tfic.build("lite").train()(torch.zeros(1, 2, 64, 64))
        return "quick"

    rows = [
        ("first", lambda: asked.append("first") or 1.0),
        ("compiled", compile_it),
        ("last", lambda: asked.append("last") or 3.0),
    ]
    (sentence,) = script.answer("speed", rows, "this one", out)
    assert sentence.startswith("speed, compiled failed: RuntimeError: ")
    before = kept()
    assert before == {
        "device": "this one",
        "first": 1.0,
        "compiled": sentence.removeprefix("speed, compiled "),
        "last": 3.0,
    }
    broken = False
    assert script.answer("speed", rows, "this one", out) == []
    assert kept() == {"device": "this one", "first": 1.0, "compiled": "quick", "last": 3.0}
    assert asked == ["first", "compiled", "last", "compiled"]


def test_answers_of_another_device_are_asked_for_again_and_other_questions_keep_theirs(
    script: ModuleType, tmp_path: Path
) -> None:
    out = tmp_path / "answers.json"
    coding = {"device": "another", "encoding": 2.0}
    out.write_text(json.dumps({"ranks": {"device": "another", "1 ranks": 2.0}, "coding": coding}))
    assert script.answer("ranks", [("2 ranks", lambda: 4.0)], "this one", out) == []
    assert json.loads(out.read_text()) == {"ranks": {"device": "this one", "2 ranks": 4.0}, "coding": coding}


def test_a_failure_is_one_line_and_an_error_that_no_gpu_raises_passes(script: ModuleType, tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("out of memory\nmore")

    def mistaken() -> None:
        raise KeyError("no such row")

    out = tmp_path / "answers.json"
    found = script.answer("speed", [("tf32", fail)], "this one", out)
    assert found == ["speed, tf32 failed: RuntimeError: out of memory at no line of tfic"]
    with pytest.raises(KeyError, match="no such row"):
        script.answer("speed", [("bf16", mistaken)], "this one", out)


def test_the_table_has_each_question_with_four_digits_of_each_number(script: ModuleType, tmp_path: Path) -> None:
    answers = {"speed": {"device": "this one", "tf32": {"images_per_s": 1234.56, "memory_gib": None}}, "other": {"": 1}}
    assert script.kept(tmp_path / "none.json") == {}
    assert script.table(answers, ["speed", "ranks"]).splitlines()[2:] == [
        "| speed | device | this one |",
        "| speed | tf32 | images_per_s 1235, memory_gib None |",
        "| ranks |  | not asked yet |",
    ]
