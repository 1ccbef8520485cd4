"""A trained codec is found by each kind of name, or the name is refused in words."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from made_files import saved_codec
from mlflow import MlflowClient

import tfic
from tfic.checkpoints import checkpoint, models
from tfic.codec.image_codec import ImageCodec
from tfic.config import CODEC_FILE, Config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with a codec."""
    folder = tmp_path_factory.mktemp("run")
    saved_codec(folder / CODEC_FILE, Config(codec="tic-tiny"))
    return folder


@pytest.fixture(scope="module")
def store(run: Path, empty_store: str) -> dict[str, str]:
    """Names in an MLflow store: a run with a codec, a run without, and a registered model of two versions."""
    client = MlflowClient(tracking_uri=empty_store)
    experiment = client.create_experiment("models", artifact_location=(run / "artifacts").as_uri())
    with_codec, without = (client.create_run(experiment).info.run_id for _ in range(2))
    client.log_artifact(with_codec, str(run / CODEC_FILE), "checkpoint")
    client.create_registered_model("reader-friendly")
    for source in (f"runs:/{with_codec}/checkpoint", f"runs:/{with_codec}/checkpoint/codec.safetensors"):
        client.create_model_version("reader-friendly", source, with_codec)
    client.set_registered_model_alias("reader-friendly", "best", "1")
    return {"uri": empty_store, "with": with_codec, "without": without}


def fingerprint(run: Path) -> bytes:
    return checkpoint.load(run / CODEC_FILE).fingerprint


def test_a_file_and_its_directory_are_found(run: Path, tmp_path: Path) -> None:
    file = run / CODEC_FILE
    assert models.find(str(file)) == models.find(str(run)) == models.find(run) == file
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "codec.safetensors").write_bytes(b"")
    assert models.find(tmp_path) == tmp_path / "checkpoint" / "codec.safetensors"


def test_the_package_offers_build_load_and_the_error(run: Path) -> None:
    codec = tfic.load(str(run))
    assert isinstance(codec, ImageCodec)
    assert codec.fingerprint == fingerprint(run)
    assert not codec.training
    assert isinstance(tfic.build("tic-tiny"), ImageCodec)
    with pytest.raises(tfic.BitstreamError, match="not a TFIC file"):
        codec.decode(b"")
    assert tfic.__version__ == version("tfic-sweep")
    assert all(getattr(tfic, name) for name in tfic.__all__)
    assert set(tfic.__all__) <= set(dir(tfic))
    words = "has no attribute 'laod'; it offers BitstreamError, ImageCodec, TficError, __version__, build, load"
    with pytest.raises(AttributeError, match=words):
        _ = tfic.laod


def test_importing_the_package_and_finding_a_file_leave_torch_alone(run: Path) -> None:
    code = "import sys, tfic, tfic.__main__; from tfic.checkpoints import models; "
    code += f"models.find({str(run)!r}); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"


@pytest.mark.parametrize(
    "form", ["runs:/{with}", "runs:/{with}/checkpoint", "runs:/{with}/checkpoint/codec.safetensors"]
)
def test_a_run_of_mlflow_is_found(store: dict[str, str], run: Path, form: str) -> None:
    assert tfic.load(form.format_map(store), store["uri"]).fingerprint == fingerprint(run)


@pytest.mark.parametrize("name", ["/1", "/2", "/latest", "@best"])
def test_a_registered_model_is_found(store: dict[str, str], run: Path, name: str) -> None:
    found = models.find(f"models:/reader-friendly{name}", store["uri"])
    assert found.read_bytes() == (run / CODEC_FILE).read_bytes()


def test_the_store_comes_from_the_environment(
    store: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["uri"])
    assert models.find(f"runs:/{store['with']}").is_file()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=rf"no tracking store at {tmp_path}/mlflow.db; run `python -m sweep.run` first"
    ):
        models.find(f"runs:/{store['with']}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("runs:/0123", "runs:/0123 cannot be had from the tracking store .*0123"),
        ("runs:/{without}", "cannot be had"),
        ("runs:/", "names nothing in a tracking store; write runs:/RUN_ID"),
        ("models:/reader-friendly", "names nothing in a tracking store"),
        ("models:/reader-friendly/7", "version=7.* not found"),
        ("models:/reader-friendly@worst", "alias worst not found"),
        ("models:/nobody/latest", "has no registered model 'nobody'"),
        ("models:/nobody/1", "not found"),
    ],
)
def test_what_mlflow_has_not_is_told(store: dict[str, str], name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        models.find(name.format_map(store), store["uri"])
    assert "\n" not in str(caught.value)


def test_a_store_that_is_none_is_told(tmp_path: Path, silent_port: int) -> None:
    (tmp_path / "text.db").write_text("no database at all, however long one reads in it")
    (tmp_path / "empty.db").write_bytes(b"")
    for uri, words in (
        (f"sqlite:///{tmp_path}/text.db", "text.db is not a tracking store"),
        (f"sqlite:///{tmp_path}/empty.db", "has no experiments"),
        (f"http://localhost:{silent_port}", f"http://localhost:{silent_port} does not answer"),
        (f"http://user:secret@localhost:{silent_port}", f"tracking server http://localhost:{silent_port} does not"),
        ("mlruns", "is neither a server"),
    ):
        with pytest.raises(ValueError, match=words):
            models.find("runs:/abc", uri)
    assert (tmp_path / "empty.db").read_bytes() == b""


def test_a_codec_that_ships_is_found_by_its_name_and_others_are_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_ZOO_DIR", tmp_path / "zoo")
    with pytest.raises(ValueError, match="no model 'zoo/tiny': no codec ships with this installation; give a codec"):
        models.find("zoo/tiny")
    (tmp_path / "zoo").mkdir()
    for name in ("tiny-reading", "tiny-pixels"):
        (tmp_path / "zoo" / f"{name}.safetensors").write_bytes((run / CODEC_FILE).read_bytes())
    assert models.zoo() == ["zoo/tiny-pixels", "zoo/tiny-reading"]
    assert models.load("zoo/tiny-reading").fingerprint == fingerprint(run)
    for name in ("zoo/tiny-redaing", "zoo/../zoo/tiny-reading", "zoo/"):
        with pytest.raises(ValueError, match=r"did you mean 'zoo/tiny-reading'|There are zoo/tiny-pixels, "):
            models.find(name)
    monkeypatch.chdir(tmp_path)
    assert models.find("./zoo/tiny-pixels.safetensors").name == "tiny-pixels.safetensors"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "no model ''; give a codec.safetensors"),
        ("nowhere", "no model 'nowhere'"),
        (".", "directory . has no codec"),
    ],
)
def test_what_is_no_model_is_told(name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        models.find(name)
