"""A command that is run as a module without its extra ends in one line with the pip command, not in a traceback."""

import subprocess
import sys

import pytest

RUN = """
import runpy, sys
sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(",")))
sys.argv = [sys.argv[1], "--help"]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("analysis.report", "pandas,plotly,jinja2,markupsafe,mlflow", "report"),
        ("analysis.pareto", "pandas,mlflow", "report"),
        ("analysis.select", "pandas,mlflow", "report"),
        ("sweep.run", "ray,optuna,mlflow,torch,cv2", "sweep"),
        ("sweep.ingest", "mlflow,torch,cv2", "sweep"),
    ],
)
def test_a_module_without_its_extra_is_one_line_and_exit_code_2(module: str, missing: str, extra: str) -> None:
    ran = subprocess.run([sys.executable, "-c", RUN, missing, module], capture_output=True, text=True)
    assert ran.stderr.count("\n") == 1, ran.stderr
    assert f"is not installed; pip install 'tfic-sweep[{extra}]'" in ran.stderr
    assert ran.stderr.startswith("error: ")
    assert (ran.returncode, ran.stdout) == (2, "")


def test_with_its_extra_a_module_shows_its_help() -> None:
    for module in ("analysis.report", "sweep.run"):
        ran = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"usage: python -m {module}" in ran.stdout
