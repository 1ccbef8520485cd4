"""Do on a laptop what docs/cluster.md tells for machines of your own, lose a worker half-way, and look at the results.

    python scripts/lose_a_worker.py HEAD WORKER WORKER ...

HEAD and WORKER are addresses that take ssh as this user, with ~/.ssh/id_ed25519, and have ~/venv. The network of one
worker is shut down for good: scripts/try_cluster.py makes hosts for which that does not matter.

Exit codes: 0 all trials finished, each in one run, although a worker was lost in the middle of one; 1 not so.
"""

import contextlib
import getpass
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).resolve().parent.parent
RAY = str(Path(sys.executable).with_name("ray"))
DASHBOARD, SERVER = "http://127.0.0.1:8265", "http://127.0.0.1:5000"
"""Ray's and MLflow's, through ssh."""
FILE = Path("local.yaml")
SWEEP = "cluster"
TRIALS = 8
"""No compression, one JPEG, three lambdas, and one gamma from each."""
SETTINGS = f"""
recipe = "tiny"
name = "{SWEEP}"
[space]
lmbdas = [0.003, 0.01, 0.03]
gammas = [1.0]
[space.classical]
jpeg = [10]
webp = []
avif = []
[data]
train_count = 8
test_count = 2
[train]
pretrain_steps = 60
finetune_steps = 4
batch = 2
finetune_batch = 2
read_width_px = 300
klt_start = false
checkpoint_every = 5
log_every = 2
[eval]
heldout = false
pictures = 1
"""
LINK_DOWN = "nohup sh -c 'sleep 1; ip link set eth0 down' >/dev/null 2>&1 </dev/null &"


def main(head: str, *workers: str) -> int:
    """Run it all and return the exit code."""
    os.chdir(Path.home())
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_UP_enable_autoscaler_v2": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
    Path("sweep.toml").write_text(SETTINGS)
    FILE.write_text(yaml.safe_dump(as_tried(head, list(workers)), sort_keys=False))
    for each in (head, *workers):
        wait_for(f"sshd of {each}", 30, lambda each=each: ssh(each, "true").returncode == 0)
    subprocess.run([RAY, "get-auth-token", "--generate"], check=True)
    subprocess.run([RAY, "up", "--yes", FILE], check=True)
    try:
        wait_for(f"{len(workers)} workers", 120, lambda: active_nodes() == 1 + len(workers))
        with tunnel("dashboard", str(FILE)), tunnel("exec", str(FILE), "--port-forward", "5000", "sleep 86400"):
            wait_for("MLflow through ssh", 60, lambda: store() is not None)
            lost, problems = sweep_with_a_loss(workers)
            problems += look(lost)
    finally:
        logs = ssh(head, "tail -n 25 mlflow.log /tmp/ray/session_latest/logs/monitor.log").stdout
        subprocess.run([RAY, "down", "--yes", FILE])
    if problems:
        print(logs, file=sys.stderr)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    say("FAILED" if problems else f"All {TRIALS} trials finished, each in one run, without worker {lost}.")
    return 1 if problems else 0


def as_tried(head: str, workers: list[str]) -> dict[str, Any]:
    """deploy/local.yaml with these addresses, this user, one trial per worker, and nothing to install."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "local.yaml").read_text())
    config["provider"] |= {"head_ip": head, "worker_ips": workers}
    config["auth"]["ssh_user"] = getpass.getuser()
    config["file_mounts"] |= {"~/tfic-sweep": str(ROOT), "~/sweep.toml": str(Path.home() / "sweep.toml")}
    config["setup_commands"] = [each for each in config["setup_commands"] if "~/venv/bin/" not in each]
    config["worker_start_ray_commands"][-1] += " --num-cpus=1 --num-gpus=0"
    return config


def sweep_with_a_loss(workers: Sequence[str]) -> tuple[str, list[str]]:
    """Run the sweep as a job and cut off a worker in the middle of a pre-training; its name, and what went wrong."""
    command = ["python", "-m", "sweep.run", "--address", "auto", "--config", "../sweep.toml"]
    submit = [RAY, "job", "submit", "--address", DASHBOARD, "--", *command]
    lost, cut_off, steps_after = "", "", []
    with subprocess.Popen(submit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        assert job.stdout is not None
        for line in job.stdout:
            print(f"  | {line}", end="", flush=True)
            told = re.search(r"pretrain lmbda ([\d.]+) +pretrain step (\d+) of 60", line)
            if told and told[1] == cut_off:
                steps_after.append(int(told[2]))
            if told and not lost and 10 <= int(told[2]) < 60:
                cut_off = told[1]
                lost = next(run.data.tags["host"] for run in runs() if pretrains(run, cut_off))
                by_name = {ssh(each, "hostname").stdout.strip(): each for each in workers}
                say(f"Cutting off {lost}, at step {told[2]} of lambda {cut_off}.")
                ssh(by_name[lost], LINK_DOWN)
        code = job.wait()
    problems = [] if code == 0 else [f"the job ended with exit code {code}"]
    if not lost:
        problems.append("no pre-training was seen half-way, so no worker was cut off")
    elif not steps_after or min(steps_after) <= 4:
        problems.append(f"lambda {cut_off} did not go on from its checkpoint; steps told afterwards: {steps_after}")
    return lost, problems


def look(lost: str) -> list[str]:
    """What is wrong with the results of a sweep that lost a worker, if anything."""
    found = runs()
    problems = []
    keys = Counter(run.data.tags["trial_key"] for run in found)
    problems += [f"{key} has {count} runs" for key, count in keys.items() if count > 1]
    problems += [f"{run.data.tags['trial_key']} is {run.info.status}" for run in found if run.info.status != "FINISHED"]
    if len(keys) != TRIALS:
        problems.append(f"{len(keys)} trials have a run; there are {TRIALS}")
    client = store()
    assert client is not None
    for run in found:
        key, kind = run.data.tags["trial_key"], run.data.tags["kind"]
        if run.data.tags.get("host") == lost and run.info.status == "FINISHED":
            say(f"{lost} had finished {key}.")
        if kind in ("pretrain", "finetune"):
            steps = Counter(each.step for each in client.get_metric_history(run.info.run_id, "train_loss"))
            problems += [f"{key}: step {step} is logged {count} times" for step, count in steps.items() if count > 1]
            if not client.list_artifacts(run.info.run_id, "checkpoint"):
                problems.append(f"{key} has no codec in the store")
    return problems


def pretrains(run: Run, lmbda: str) -> bool:
    """Whether a run is the pre-training of a lambda."""
    return run.data.tags["kind"] == "pretrain" and run.data.params["lmbda"] == lmbda


def runs() -> list[Run]:
    """All runs of the sweep."""
    client = store()
    assert client is not None, f"no MLflow at {SERVER}"
    experiment = client.get_experiment_by_name(SWEEP)
    return list(client.search_runs([experiment.experiment_id])) if experiment is not None else []


def store() -> MlflowClient | None:
    """A client of the head's MLflow, or None while it does not answer."""
    try:
        client = MlflowClient(tracking_uri=SERVER)
        client.search_experiments(max_results=1)
    except MlflowException:
        return None
    return client


def active_nodes() -> int:
    """Machines that Ray counts as its own."""
    command = [RAY, "exec", str(FILE), "ray status"]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    active = said.partition("Active:")[2].partition("Pending:")[0]
    return sum(int(count) for count in re.findall(r"^ (\d+) ", active, re.MULTILINE))


@contextlib.contextmanager
def tunnel(*command: str) -> Iterator[None]:
    """A command of Ray's that holds a port open, for as long as the block runs."""
    process = subprocess.Popen([RAY, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def ssh(address: str, command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on a host."""
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    return subprocess.run(["ssh", *options, "-o", "ConnectTimeout=5", address, command], capture_output=True, text=True)


def wait_for(what: str, seconds: float, there: Callable[[], bool]) -> None:
    """Wait until `there` says so.

    Raises:
        TimeoutError: when it did not in so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {seconds:g} s")
        time.sleep(1)
    say(f"There: {what}.")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        print("error: needs the addresses of a head and of two workers or more", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(*sys.argv[1:]))
