"""The cluster for real, on hosts made of namespaces: scripts/try_cluster.py."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from needed import needed

ROOT = Path(__file__).parent.parent


@pytest.mark.stress
def test_a_sweep_survives_the_loss_of_a_host() -> None:
    """A head, two workers and a laptop made of namespaces, through ssh: five minutes."""
    tried = subprocess.run([sys.executable, ROOT / "scripts" / "try_cluster.py"], stderr=subprocess.PIPE, text=True)
    needed(tried.returncode != 2, tried.stderr.strip())
    assert tried.returncode == 0, tried.stderr


def test_a_machine_that_cannot_make_hosts_says_what_is_missing() -> None:
    command = [sys.executable, ROOT / "scripts" / "try_cluster.py"]
    tried = subprocess.run(command, env={"PATH": "/nonexistent"}, capture_output=True, text=True)
    assert tried.returncode == 2
    assert re.match(r"error: .*(takes root|no (sshd, )?ssh, .* here; apt-get install)", tried.stderr)
