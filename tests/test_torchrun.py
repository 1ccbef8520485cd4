"""`torchrun -m tfic train`: one codec on two workers from the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_distributed import free_port

from tfic.training.training_state import STATE_FILE


@pytest.mark.slow
def test_torchrun_trains_on_two_workers_from_the_command_line(tmp_path: Path) -> None:
    launcher = ["torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port()), "-m", "tfic"]
    settings = ["--recipe", "tiny", "--lmbda", "0.01"]
    done = subprocess.run(
        [sys.executable, "-m", *launcher, "train", str(tmp_path), *settings],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[:-1]] == [
        f"pretrain {step}/20" for step in range(2, 21, 2)
    ]
    assert done.stdout.endswith(f"trained codec: {tmp_path / 'codec.safetensors'}\n")
    assert not (tmp_path / STATE_FILE).exists()
