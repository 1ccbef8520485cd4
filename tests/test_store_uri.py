"""A store that is not there, or is none, is said within seconds; an address means the same from every folder."""

import base64
import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sweep.store.tracking import Tracker
from tfic.system import store_uri
from tfic.system.store_uri import (
    StoreUnreachableError,
    absolute,
    check_reachable,
    first_line,
    resolve,
    shown,
    sqlite_file,
)


@contextmanager
def serving(asked: list[str], certificate: Path | None = None) -> Iterator[str]:
    """A web server that knows nothing of tracking, over TLS with a `certificate`; `asked` gets what it is sent."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers['Authorization']}")
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(http.server.HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no error here."""

    server = Quiet(("127.0.0.1", 0), Refuse)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def refusing() -> Iterator[str]:
    with serving([]) as uri:
        yield uri


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody but itself has signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(plain + made.public_bytes(Encoding.PEM))
    return path


def test_a_server_is_reached_over_tls_as_mlflow_s_environment_says(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    with serving(asked, certificate) as uri:
        with pytest.raises(StoreUnreachableError, match=r"self-signed.*name its certificate in MLFLOW_TRACKING_SERVER"):
            check_reachable(uri)
        assert not asked
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a-token")
        check_reachable(uri)
        assert asked == ["/health Bearer a-token"]
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
        with pytest.raises(ValueError, match=r"variables contradict each other.*INSECURE_TLS"):
            check_reachable(uri)
        monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
        monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(certificate))
        with pytest.warns(Warning, match="Unverified HTTPS request"):
            check_reachable(uri)
        assert len(asked) == 2


def test_a_server_is_given_the_user_and_password_that_mlflow_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with serving(asked) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
        store_uri.check_exists(uri)
    assert asked == [f"/health Basic {base64.b64encode(b'user:secret').decode()}"]


def test_no_message_shows_a_password() -> None:
    uri = "postgresql+psycopg://user:secret@host:1/db?password=secret2"
    assert shown(uri) == "postgresql+psycopg://host:1/db"
    assert shown("sqlite:////a/mlflow.db") == "sqlite:////a/mlflow.db"
    words = f"{uri} failed, user:secret@host too\nmore"
    assert first_line(ValueError(words), uri) == "postgresql+psycopg://host:1/db failed, host too"
    with pytest.raises(ValueError, match="neither a server") as caught:
        absolute("ftp://user:secret@host")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("password", ["pa/ss", "pa#ss", "pa?ss", "pa@ss", "/?#", "a?b=c"])
def test_no_message_shows_a_part_of_a_password_of_any_characters(password: str) -> None:
    uri = f"postgresql://user:{password}@host:1/db"
    assert shown(uri) in ("postgresql://host:1/db", "postgresql://...")
    assert shown(f"{uri}?password=sec@ret") in ("postgresql://host:1/db", "postgresql://...")
    assert password not in first_line(ValueError(f"{uri} failed, and user:{password}@host"), uri)


def test_the_store_is_the_one_given_else_that_of_the_environment_else_one_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db?timeout=30")
    assert resolve() == f"sqlite:///{tmp_path}/other.db?timeout=30"
    assert sqlite_file(resolve()) == tmp_path / "other.db"
    assert resolve("http://host:5000/") == "http://host:5000"


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
        absolute(uri)


def test_an_address_means_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert absolute("http://host:5000/") == "http://host:5000"
    with pytest.raises(ValueError, match="no folder"):
        check_reachable(f"sqlite:///{tmp_path}/no/mlflow.db")
