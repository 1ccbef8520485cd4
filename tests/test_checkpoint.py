"""A checkpoint comes back as it was, or says what is wrong with it."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from made_files import ready_codec, saved_codec

from tfic.checkpoints import checkpoint
from tfic.codec import build
from tfic.config import Config
from tfic.synth import draw


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return saved_codec(tmp_path / "codec.safetensors", Config(codec="tic-tiny", lmbda=0.02))


def test_weights_tables_and_settings_come_back(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    assert loaded.fingerprint == ready_codec().fingerprint
    assert not loaded.training
    assert checkpoint.config_of(saved) == Config(codec="tic-tiny", lmbda=0.02)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_other_weights_have_another_fingerprint(saved: Path) -> None:
    codec = checkpoint.load(saved)
    before = codec.fingerprint
    with torch.no_grad():
        codec.g_a[0].bias[0] += 1e-3
    codec.update()
    assert codec.fingerprint != before


def broken(path: Path, what: str) -> None:
    data = path.read_bytes()
    if what == "missing":
        path.unlink()
    elif what == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "text":
        path.write_text("this is no checkpoint")
    elif what == "bit":
        path.write_bytes(data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:])
    elif what == "foreign":
        safetensors.torch.save_file({"w": torch.zeros(3)}, path)
    elif what == "other shapes":
        metadata = {"config": json.dumps({"codec": "tic-small"}), "fingerprint": "00" * 8}
        safetensors.torch.save_file(safetensors.torch.load(data), path, metadata)
    else:
        metadata = {"config": what, "fingerprint": "00" * 8}
        safetensors.torch.save_file(safetensors.torch.load(data), path, metadata)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("missing", "no checkpoint at"),
        ("truncated", "damaged or no checkpoint"),
        ("empty", "damaged or no checkpoint"),
        ("text", "damaged or no checkpoint"),
        ("bit", "weights do not match its fingerprint"),
        ("foreign", "holds tensors but no TFIC codec"),
        ("other shapes", "damaged or was written by another version"),
        ("{", "settings are no JSON"),
        ("[]", "settings are a JSON list, not an object"),
        ('{"codec": 5}', "the codec is 5, not a name"),
        ('{"codec": "tick"}', "did you mean 'tic-"),
    ],
)
def test_a_broken_checkpoint_is_refused_in_one_line(saved: Path, what: str, words: str) -> None:
    broken(saved, what)
    with pytest.raises(ValueError, match=words) as caught:
        checkpoint.load(saved)
    assert "\n" not in str(caught.value)


def test_a_halved_codec_has_a_file_of_half_the_size_and_codes_as_before_it_was_saved(tmp_path: Path) -> None:
    codec = ready_codec("lite")
    checkpoint.save(codec, Config(codec="lite"), tmp_path / "whole.safetensors")
    whole = codec.fingerprint
    checkpoint.halve(codec)
    assert codec.fingerprint != whole
    checkpoint.save(codec, Config(codec="lite"), tmp_path / "half.safetensors")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.65 * sizes[1], "the coding tables stay as they are"
    image = draw(0, "test", 0).image
    loaded = checkpoint.load(tmp_path / "half.safetensors")
    assert next(loaded.parameters()).dtype == torch.float32
    assert loaded.encode(image) == codec.encode(image)


def test_weights_too_large_for_half_precision_are_refused() -> None:
    codec = build("lite").eval()
    with torch.no_grad():
        codec.g_a[0].conv.bias[0] = 1e6
    with pytest.raises(ValueError, match=r"a weight of g_a is 1000000\.0; half precision ends at 65504"):
        checkpoint.halve(codec)
