"""What tests of kills share: how sweeps run here, and that a disturbed training ends like one that nobody disturbed."""

from pathlib import Path

from safetensors.numpy import load_file

from tfic.checkpoints.checkpoint import config_of
from tfic.training.train import fit

QUIET = {"RAY_AUTH_MODE": "disabled", "CUDA_VISIBLE_DEVICES": "", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Environment of a sweep on this machine's CPUs alone."""
BARE = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
"""Settings of a machine of a cluster without the processes that no sweep asks anything of."""
SMALL = """
[data]
train_count = 8
test_count = {test_count}
[train]
pretrain_steps = {steps}
finetune_steps = 4
batch = 2
finetune_batch = 2
read_width_px = 300
checkpoint_every = {every}
log_every = {every}
klt_start = false
[eval]
heldout = false
pictures = 1
"""
"""Tables of a sweep.toml for trainings of that many steps, with a checkpoint and a report every few."""


def assert_trained_as_alone(codec: Path, folder: Path) -> None:
    """Assert that a codec's weights are, to the bit, those of a training of the same settings in one go."""
    found, alone = load_file(codec), load_file(fit(config_of(codec), folder, lambda progress: None))
    assert found.keys() == alone.keys()
    for name, tensor in alone.items():
        assert (found[name] == tensor).all(), name
