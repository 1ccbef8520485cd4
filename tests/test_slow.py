"""Which tests `make check` leaves out is known from what they take, not from a list that ages."""

import os
import subprocess
import sys
from pathlib import Path

BURNS = """
import time
import pytest

def burn():
    began = time.process_time()
    while time.process_time() - began < 0.5:
        pass

@pytest.mark.slow
def test_marked():
    burn()

def test_unmarked():
    burn()

def test_that_waits():
    time.sleep(0.5)
"""


def test_a_test_that_takes_long_without_being_marked_slow_is_an_error(tmp_path: Path) -> None:
    ours = (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8")
    assert ours.count("LIMIT_S = 30.0\n") == 1
    (tmp_path / "conftest.py").write_text(ours.replace("LIMIT_S = 30.0\n", "LIMIT_S = 0.4\n"))
    (tmp_path / "test_burns.py").write_text(BURNS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: takes long\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}  # where what conftest.py imports lies
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=environment)
    assert "3 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr
    assert "ERROR at teardown of test_unmarked" in ran.stdout
    assert "s of CPU time, more than 0; make it faster or mark it `slow`" in ran.stdout
