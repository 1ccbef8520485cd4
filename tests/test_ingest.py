"""A run directory trained elsewhere becomes the trial that the sweep would have made of its settings, once."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import config, small, untrained
from mlflow.entities import Run

from analysis.report import main as report_main
from sweep.ingest import main
from sweep.run import main as sweep_main
from sweep.space import Space
from sweep.tracking import CHECKPOINT, Tracker, params
from sweep.trial import run_trial
from tfic import checkpoint
from tfic.evaluate import means, measure, read_rows, write_rows
from tfic.train import fit


def ingest(tracker: Tracker, *arguments: object) -> int:
    return main([*map(str, arguments), "--name", tracker.sweep, "--tracking-uri", tracker.uri])


def runs(tracker: Tracker) -> dict[str, Run]:
    """The runs of a sweep by key."""
    found = Tracker(tracker.uri, tracker.sweep)
    listed = found._client.search_runs([found._experiment]) if found._experiment else []
    assert len({run.data.tags["trial_key"] for run in listed}) == len(listed)
    return {run.data.tags["trial_key"]: run for run in listed}


@pytest.fixture
def tracker(empty_store: str, request: pytest.FixtureRequest) -> Tracker:
    return Tracker(empty_store, request.node.name.partition("[")[0])


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of `tfic train` with lambda and gamma, stage 1 measured by `tfic evaluate`."""
    folder = tmp_path_factory.mktemp("elsewhere") / "job-7"
    fit(config(gamma=1.0), folder, lambda progress: None)
    measure(checkpoint.load(folder / "pretrain" / "codec.safetensors"), config(), folder / "pretrain" / "measured")
    return folder


@pytest.fixture
def measured(two_stages: Path, tmp_path: Path) -> Path:
    """A copy of a measured run directory of stage 1."""
    return Path(shutil.copytree(two_stages / "pretrain", tmp_path / "runs" / "a"))


@pytest.fixture(scope="module")
def taken(two_stages: Path, empty_store: str) -> Tracker:
    """The sweep into which both stages were ingested."""
    tracker = Tracker(empty_store, "taken")
    assert ingest(tracker, two_stages) == 0
    return Tracker(empty_store, "taken")


def test_both_stages_of_a_training_become_the_trials_of_their_settings(taken: Tracker, two_stages: Path) -> None:
    sweep = small()
    found = runs(taken)
    trials = {trial.key: trial for trial in (sweep.pretrain(0.003), sweep.finetune(0.003, 1.0))}
    assert found.keys() == trials.keys()
    for key, run in found.items():
        assert run.info.status == "FINISHED"
        assert run.data.params == params(trials[key])
        assert (run.data.tags["kind"], run.data.tags["sweep"]) == (trials[key].kind, "taken")
        assert run.data.tags.get("parent", "") == trials[key].parent
        codec = "pretrain/codec.safetensors" if trials[key].kind == "pretrain" else "codec.safetensors"
        assert run.data.tags["ingested"] == str(two_stages / codec)


def test_what_is_logged_is_the_measurement_and_the_codec_of_the_directory_and_nothing_invented(
    taken: Tracker, two_stages: Path, tmp_path: Path
) -> None:
    for key, run in runs(taken).items():
        folder = two_stages / "pretrain" if key.startswith("pretrain") else two_stages
        rows = read_rows(folder / "measured" / "rows.csv")
        assert run.data.metrics == pytest.approx(means(rows)), "no wall time, no steps"
        assert not {"host", "device", "versions", "git_commit"} & run.data.tags.keys()
        artifacts = Path(taken._client.download_artifacts(run.info.run_id, "", str(tmp_path)))
        for name in ("rows.csv", "comparison.png", "pictures/test-000000.png"):
            assert (artifacts / name).read_bytes() == (folder / "measured" / name).read_bytes()
        assert (artifacts / CHECKPOINT).read_bytes() == (folder / "codec.safetensors").read_bytes()


SETTINGS = """
recipe = "tiny"
name = "taken"
[space]
lmbdas = [0.003]
gammas = [1.0, 3.0]
[data]
train_count = 4
test_count = 2
[train]
pretrain_steps = 1
finetune_steps = 1
read_width_px = 300
klt_start = false
log_every = 7
[eval]
detect_side_px = 256
heldout = false
pictures = 1
"""


def test_a_sweep_of_the_same_settings_runs_only_what_is_missing(
    taken: Tracker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.toml").write_text(SETTINGS)
    assert sweep_main(["--config", str(tmp_path / "sweep.toml"), "--tracking-uri", taken.uri, "--plan"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    finished_keys = {words[0] for words in lines if words[1:2] == ["finished"]}
    assert finished_keys == {small().pretrain(0.003).key, small().finetune(0.003, 1.0).key}
    assert small().finetune(0.003, 3.0).key in {words[0] for words in lines if words[1:3] == ["to", "run"]}


def test_a_finetuning_starts_from_an_ingested_codec(taken: Tracker, tmp_path: Path) -> None:
    trial = small().finetune(0.003, 3.0)
    run_trial(trial, taken, taken.start(trial), tmp_path / trial.key, lambda event: None)
    started = tmp_path / trial.key / "start" / "codec.safetensors"
    assert checkpoint.config_of(started).gamma == 0.0
    assert runs(taken)[trial.key].info.status == "FINISHED"


def test_the_report_counts_no_time_that_it_does_not_know(taken: Tracker, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert report_main(["--name", "taken", "--tracking-uri", taken.uri, "--out", str(out)]) == 0
    assert "trials; 2 were trained elsewhere, their time is not known" in out.read_text(encoding="utf-8")


def test_the_second_call_finds_nothing_to_ingest(
    measured: Path, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(tracker, measured.parent) == 0
    assert "1 ingested\nReport: python -m analysis.report --name" in capsys.readouterr().out
    before = {key: run.info.run_id for key, run in runs(tracker).items()}
    again = untrained(measured.parent / "b", config())
    assert ingest(tracker, measured.parent) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to ingest: 2 in the store already"
    assert {key: run.info.run_id for key, run in runs(tracker).items()} == before
    assert not (again / "measured").exists()


def test_where_there_is_a_half_codec_it_is_what_was_measured_and_is_taken(measured: Path, tracker: Tracker) -> None:
    codec = checkpoint.load(measured / "codec.safetensors")
    checkpoint.halve(codec)
    checkpoint.save(codec, config(), measured / "half.safetensors")
    assert ingest(tracker, measured) == 0
    (run,) = runs(tracker).values()
    assert run.data.tags["trial_key"] == small().pretrain(0.003).key
    kept = tracker._client.download_artifacts(run.info.run_id, CHECKPOINT)
    assert checkpoint.load(Path(kept)).fingerprint == codec.fingerprint


def test_unfinished_directories_are_named_and_left(
    measured: Path, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    root = measured.parent
    (root / "b").mkdir()
    (root / "b" / "state.pt").write_bytes(b"half way")
    (root / "c" / "pretrain").mkdir(parents=True)
    (root / "c" / "pretrain" / "state.pt").write_bytes(b"half way in stage 1")
    measured.rename(root / "c" / "done")
    assert ingest(tracker, root) == 0
    said = capsys.readouterr().out
    for name in ("b", "c/pretrain"):
        assert f"{root / name}: not finished, left" in said
    assert "2 unfinished, 1 ingested" in said


def test_what_is_not_measured_is_left_when_asked(
    tracker: Tracker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    untrained(tmp_path / "run", config())
    assert ingest(tracker, tmp_path, "--no-measure") == 0
    assert "nothing to ingest: 1 not measured" in capsys.readouterr().out
    assert not runs(tracker)
    assert not (tmp_path / "run" / "measured").exists()


def spoil(folder: Path, how: str) -> None:
    path = folder / "measured" / "rows.csv"
    rows = read_rows(path)
    if how == "damaged codec":
        data = (folder / "codec.safetensors").read_bytes()
        (folder / "codec.safetensors").write_bytes(data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:])
    elif how == "no codec of ours":
        (folder / "codec.safetensors").write_text("weights")
    elif how == "rows of another codec":
        write_rows([replace(row, file_bytes=2 * row.file_bytes) for row in rows], path)
    elif how == "rows of other images":
        write_rows([replace(row, truth="another") for row in rows], path)
    elif how == "fewer rows":
        write_rows(rows[:1], path)
    elif how == "half a row":
        path.write_bytes(path.read_bytes()[:-3])
    elif how == "a column short":
        path.write_text(path.read_text().replace("psnr_db", "psnr", 1))
    elif how == "no numbers":
        path.write_bytes(path.read_bytes().replace(b"test-000001.png,256", b"test-000001.png,wide"))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("damaged codec", "weights do not match its fingerprint"),
        ("no codec of ours", "is damaged or no checkpoint"),
        ("rows of another codec", "rows.csv is of another codec: codec.safetensors takes "),
        ("rows of other images", "has other images than the 2 test images of the codec's settings; remove "),
        ("fewer rows", "has other images than the 2 test images"),
        ("half a row", "rows.csv is damaged or was written by another version: "),
        ("a column short", "no column 'psnr_db'; measure again"),
        ("no numbers", "invalid literal for int"),
    ],
)
def test_a_broken_directory_is_named_in_one_line_and_the_others_go_on(
    how: str, words: str, measured: Path, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    good = config(lmbda=0.02)
    other = Path(shutil.copytree(measured, measured.parent / "z"))
    checkpoint.save(checkpoint.load(other / "codec.safetensors"), good, other / "codec.safetensors")
    spoil(measured, how)
    sweep = Tracker(tracker.uri, f"{tracker.sweep}-{how.replace(' ', '-')}")
    assert ingest(sweep, measured.parent) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"failed: {measured}: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert "1 failed, 1 ingested" in said.out
    assert list(runs(sweep)) == [small().pretrain(0.02).key]


def test_a_measurement_that_fails_leaves_its_reason_in_the_store_and_is_tried_again(
    tracker: Tracker, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(measured / "measured")
    (measured / "measured").write_text("in the way")
    assert ingest(tracker, measured) == 1
    (run,) = runs(tracker).values()
    assert (run.info.status, run.data.tags["failure"].split(":")[0]) == ("FAILED", "NotADirectoryError")
    (measured / "measured").unlink()
    assert ingest(tracker, measured) == 0
    (again,) = runs(tracker).values()
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert "failure" not in again.data.tags


def test_the_classical_codecs_that_are_missing_are_measured_on_the_same_images(
    tracker: Tracker, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = replace(small(), space=Space())
    first, *others = every.anchors()
    (tmp_path / "none").mkdir()
    for trial in others:
        tracker.finish(tracker.start(trial), {"bpp": 1.0, "accuracy": 0.5}, tmp_path / "none")
    assert ingest(tracker, measured, "--classical") == 0
    assert "1 ingested, 2 measured, 16 in the store already" in capsys.readouterr().out
    found = runs(tracker)
    for trial in (every.reference(), first):
        run = found[trial.key]
        assert (run.info.status, run.data.params) == ("FINISHED", params(trial))
        assert {"bpp", "accuracy", "seconds"} <= run.data.metrics.keys()
        assert "host" in run.data.tags
    assert ingest(tracker, measured, "--classical") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to ingest: 19 in the store already"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such folder; give a run directory"),
        (["."], "no run directory there or in its folders"),
        ([".", "--name", "a b"], "name is 'a b'; it must be letters"),
        ([".", "--names", "a"], "unrecognized arguments: --names"),
        ([], "the following arguments are required: DIR"),
        (["run", "--tracking-uri", "mlruns"], "neither a server"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "run" in arguments:
        untrained(tmp_path / "run", config())
    before = sorted(tmp_path.rglob("*"))
    try:
        code: object = main(arguments)
    except SystemExit as stopped:  # argparse
        code = stopped.code
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ")
    assert words in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_the_sweep_is_called_like_the_folder_unless_it_is_named(
    measured: Path, tmp_path: Path, empty_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = measured.parent.rename(tmp_path / "from-the-cluster")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store)
    monkeypatch.chdir(root)
    assert main(["."]) == 0
    assert len(Tracker(empty_store, "from-the-cluster").records()) == 1
