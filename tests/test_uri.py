"""A store that is not there, or is none, is said within seconds; an address means the same from every folder."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.store.tracking import Tracker
from sweep.store.uri import absolute_uri, check_reachable


@pytest.fixture
def refusing() -> Iterator[str]:
    """A web server that knows nothing of tracking."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_is_not_there_is_said_within_seconds(silent_port: int) -> None:
    began = time.monotonic()
    for uri in (f"http://127.0.0.1:{silent_port}", f"postgresql://user:secret@127.0.0.1:{silent_port}/db"):
        with pytest.raises(ValueError, match="does not answer") as caught:
            Tracker(uri, "demo")
        assert "secret" not in str(caught.value)
    assert time.monotonic() - began < 10


def test_a_server_of_another_kind_is_said(refusing: str) -> None:
    check_reachable(refusing)
    with pytest.raises(ValueError, match="cannot be opened"):
        Tracker(refusing, "demo")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(ValueError, match="cannot be opened"):
        Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "demo")


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "sqlite://", "ftp://host"])
def test_an_address_without_a_store_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="tracking URI"):
        absolute_uri(uri)


def test_an_address_means_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert absolute_uri("http://host:5000/") == "http://host:5000"
    with pytest.raises(ValueError, match="no folder"):
        check_reachable(f"sqlite:///{tmp_path}/no/mlflow.db")
