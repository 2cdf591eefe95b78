from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path

import grpc
import pytest

from gitaly_py.cli.client import UnsupportedAddress, daemon_address, dial, target_of
from gitaly_py.config import parse
from gitaly_py.pb.server_pb2 import ServerInfoRequest, ServerInfoResponse
from gitaly_py.rpc.credentials import bearer
from tests.support.certificates import self_signed
from tests.support.recording_daemon import RecordingDaemon

INFO = "/gitaly.ServerService/ServerInfo"


@pytest.mark.parametrize(
    ("address", "name", "tls"),
    [
        ("unix:/run/g.sock", "unix:/run/g.sock", False),
        ("unix:///run/g.sock", "unix:///run/g.sock", False),
        ("unix:g.sock", "unix:g.sock", False),
        ("tcp://host:1", "host:1", False),
        ("tls://[::1]:1", "[::1]:1", True),
        ("dns:host:1", "dns:host:1", False),
        ("dns:///host:1", "dns:///host:1", False),
        ("dns://ns:53/host:1", "dns://ns:53/host:1", False),
        ("dns+tls:host:1", "dns:host:1", True),
    ],
)
def test_an_address_tells_where_to_connect(address: str, name: str, tls: bool) -> None:
    assert target_of(address) == (name, tls)


@pytest.mark.parametrize(
    "address", ["", "host:1", "http://x", "tcp:x:1", "tcp://", "tls://x:1/path", "unix:", "dns:"]
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UnsupportedAddress) as refused:
        target_of(address)

    assert str(refused.value) == f'unsupported address: "{address}"'


@pytest.mark.parametrize(
    ("toml", "address"),
    [
        ('socket_path = "/s"\nlisten_addr = "x:1"\ntls_listen_addr = "x:2"', "unix:/s"),
        ('listen_addr = "x:1"\ntls_listen_addr = "x:2"', "tcp://x:1"),
        ('tls_listen_addr = ":2"', "tls://localhost:2"),
        ("", ""),
    ],
)
def test_the_daemon_is_called_at_its_first_address(toml: str, address: str) -> None:
    assert daemon_address(parse(toml.encode())) == address


def test_a_token_signs_the_time() -> None:
    signature = hmac.new(b"secret", b"1700000000", hashlib.sha256).hexdigest()

    assert bearer("secret", 1700000000) == f"Bearer v2.{signature}.1700000000"


def call(address: str, token: str) -> None:
    with dial(address, token) as channel:
        channel.unary_unary(INFO, ServerInfoRequest.SerializeToString, ServerInfoResponse.FromString)(
            ServerInfoRequest(), metadata=(("x-mine", "kept"),), timeout=10
        )


def test_every_call_carries_a_token(tmp_path: Path) -> None:
    daemon = RecordingDaemon()
    with daemon.listening(f"unix:{tmp_path}/s"):
        before = int(time.time())
        call(f"unix:{tmp_path}/s", "secret")

    metadata = daemon.calls[0].metadata
    issued = int(metadata["authorization"].rpartition(".")[2])
    assert metadata["authorization"] == bearer("secret", issued)
    assert before <= issued <= time.time()
    assert metadata["x-mine"] == "kept"


def test_without_a_secret_no_token_is_sent() -> None:
    daemon = RecordingDaemon()
    with daemon.listening("localhost:0") as port:
        call(f"tcp://localhost:{port}", "")

    assert "authorization" not in daemon.calls[0].metadata


def test_tls_trusts_the_authorities_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed("localhost")
    (tmp_path / "ca.pem").write_bytes(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/ca.pem")
    daemon = RecordingDaemon()

    with daemon.listening("localhost:0", grpc.ssl_server_credentials([(key, certificate)])) as port:
        call(f"tls://localhost:{port}", "secret")

    assert [recorded.path for recorded in daemon.calls] == [INFO]
