"""A real tracking server that can be killed and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

START_S = 300.0
"""Longest that a server may take to answer, in seconds."""


class Server:
    """An MLflow server on loopback with a database and its artifacts in a folder."""

    def __init__(self, folder: Path, database: str) -> None:
        self._folder, self._database = folder, database
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting until it answers."""
        artifacts = str(self._folder / "artifacts")
        options = ["--backend-store-uri", self._database, "--artifacts-destination", artifacts, "--workers", "1"]
        command = [sys.executable, "-m", "mlflow", "server", *options, "--host", "127.0.0.1", "--port", str(self._port)]
        with (self._folder / "server.log").open("ab") as log:
            without_jobs = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # eight processes for nothing
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=without_jobs, start_new_session=True)

    def wait(self) -> None:
        """Return when it answers."""
        assert self._process is not None
        began = time.monotonic()
        while True:
            try:
                requests.get(f"{self.uri}/health", timeout=5).raise_for_status()
            except requests.RequestException:
                assert self._process.poll() is None, (self._folder / "server.log").read_text()
                assert time.monotonic() - began < START_S, "the server does not answer"
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        """Kill it and its workers, as the power would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
