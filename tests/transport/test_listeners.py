from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest

from gitaly_py.transport.errors import AddressError
from gitaly_py.transport.listeners import (
    adopt,
    joined_host_port,
    listen_tcp,
    listen_unix,
    server_tls,
    split_host_port,
)
from tests.support.certificates import self_signed


def test_a_socket_left_over_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listen_unix(path).socket.close()

    listener = listen_unix(path)

    assert (listener.kind, listener.address) == ("unix", path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    listener.socket.close()


def test_a_tcp_port_can_be_bound_twice() -> None:
    first = listen_tcp("127.0.0.1:0")
    second = listen_tcp(first.address)

    assert second.address == first.address
    first.socket.close()
    second.socket.close()


@pytest.mark.parametrize("address", ["localhost:0", "[::1]:0", ":0"])
def test_hosts_are_names_addresses_or_none(address: str) -> None:
    listener = listen_tcp(address)

    assert listener.kind == "tcp"
    with socket.create_connection(
        ("localhost" if "[" not in address else "::1", listener.socket.getsockname()[1])
    ):
        listener.socket.close()


@pytest.mark.parametrize("address", ["nothing", "host:", "host:x", "host:65536", "::1:80"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressError, match="invalid address"):
        split_host_port(address)


def test_addresses_are_logged_as_clients_write_them() -> None:
    assert joined_host_port(("10.0.0.1", 80)) == "10.0.0.1:80"
    assert joined_host_port(("::1", 80, 0, 0)) == "[::1]:80"
    assert joined_host_port(("::ffff:10.0.0.1", 80, 0, 0)) == "10.0.0.1:80"


def test_an_inherited_socket_keeps_its_kind(tmp_path: Path) -> None:
    unix, tcp = listen_unix(str(tmp_path / "socket")), listen_tcp("127.0.0.1:0")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    adopted = [adopt(os.dup(unix.socket.fileno())), adopt(os.dup(tcp.socket.fileno()), tls=context)]

    assert [(one.kind, one.address) for one in adopted] == [("unix", unix.address), ("tls", tcp.address)]
    for listener in (*adopted, unix, tcp):
        listener.socket.close()


def test_certificates_come_from_files_or_text(tmp_path: Path) -> None:
    certificate, key = self_signed("localhost")
    (tmp_path / "certificate").write_bytes(certificate)

    context = server_tls(str(tmp_path / "certificate"), key.decode(), minimum="1.3")

    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_NONE


def test_a_key_of_another_certificate_is_refused() -> None:
    certificate, _ = self_signed("localhost")
    _, key = self_signed("localhost")

    with pytest.raises(ssl.SSLError):
        server_tls(certificate.decode(), key.decode())
