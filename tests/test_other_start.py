"""A training goes on from the weights that it started from, and from no others."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from test_train import StoppedError, config, ignore, same, stop_at, weights

from tfic.__main__ import main
from tfic.checkpoints import header
from tfic.config import TRAINING_VERSION
from tfic.training.train import fit
from tfic.training.training_state import STATE_FILE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("starts")
    one = fit(config(pretrain_steps=1), folder / "one", ignore)
    return one, fit(config(pretrain_steps=1, seed=5), folder / "other", ignore)


def test_a_stage_2_that_was_stopped_goes_on_from_its_own_start_alone(starts: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = starts
    with pytest.raises(StoppedError):
        fit(config(1.0), tmp_path, stop_at(3, "finetune"), one)
    with pytest.raises(
        ValueError, match=r"state.pt was trained from weights \w+, and .* has weights \w+; give the start"
    ):
        fit(config(1.0), tmp_path, ignore, other)
    fit(config(1.0), tmp_path, ignore, one)


def test_a_finished_stage_2_is_not_that_of_another_start(
    starts: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = starts
    made = fit(config(1.0), tmp_path, ignore, one)
    assert fit(config(1.0), tmp_path, ignore, one) == made
    assert header.read(made).start == header.read(one).fingerprint
    with pytest.raises(ValueError, match=r"codec.safetensors was trained from weights .* give the start that it had"):
        fit(config(1.0), tmp_path, ignore, other)
    assert main(["info", str(made)]) == 0
    assert f"start        weights {header.read(one).fingerprint}\n" in capsys.readouterr().out


def test_a_state_that_a_version_with_other_weights_has_begun_is_not_ended_by_this_one(
    starts: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        fit(config(1.0), tmp_path, stop_at(3, "finetune"), starts[0])
    state = torch.load(tmp_path / STATE_FILE, weights_only=True)
    assert state.pop("training_version") == TRAINING_VERSION  # version 1 recorded none
    torch.save(state, tmp_path / STATE_FILE)
    words = (
        rf"state.pt was begun by version 1 of training, and this program has version {TRAINING_VERSION} .* remove it"
    )
    with pytest.raises(ValueError, match=words):
        fit(config(1.0), tmp_path, ignore, starts[0])


def test_states_and_checkpoints_that_recorded_no_start_are_taken_as_before(
    starts: tuple[Path, Path], tmp_path: Path
) -> None:
    one, other = starts
    with pytest.raises(StoppedError):
        fit(config(1.0), tmp_path, stop_at(3, "finetune"), one)
    state = torch.load(tmp_path / STATE_FILE, weights_only=True)
    del state["start"]
    torch.save(state, tmp_path / STATE_FILE)
    made = fit(config(1.0), tmp_path, ignore, other)
    with safe_open(made, "pt") as file:
        metadata = file.metadata()
    del metadata["start"]
    tensors = safetensors.torch.load_file(made)
    made.write_bytes(safetensors.torch.save(tensors, metadata))
    assert same(weights(fit(config(1.0), tmp_path, ignore, one)), weights(made))
