"""A checkpoint comes back as it was, or says what is wrong with it."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from tfic import checkpoint
from tfic.codec import build
from tfic.config import Config


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    codec = build("tic-tiny").eval()
    codec.update()
    path = tmp_path / "codec.safetensors"
    checkpoint.save(codec, Config(codec="tic-tiny", lmbda=0.02), path)
    return path


def test_weights_tables_and_settings_come_back(saved: Path) -> None:
    torch.manual_seed(0)
    codec = build("tic-tiny").eval()
    codec.update()
    loaded = checkpoint.load(saved)
    assert loaded.fingerprint == codec.fingerprint
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
    ],
)
def test_a_broken_checkpoint_is_refused_in_one_line(saved: Path, what: str, words: str) -> None:
    broken(saved, what)
    with pytest.raises(ValueError, match=words) as caught:
        checkpoint.load(saved)
    assert "\n" not in str(caught.value)
