from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from gitaly_py.transport.dialling import dialled
from gitaly_py.transport.errors import AddressError, ConnectFailed, HandshakeFailed
from gitaly_py.transport.listeners import listen_unix


@pytest.mark.parametrize("prefix", ["unix:", "unix://"])
async def test_a_unix_socket_is_reached_by_either_form(tmp_path: Path, prefix: str) -> None:
    listener = listen_unix(str(tmp_path / "socket"))

    wire = await dialled(f"{prefix}{tmp_path}/socket")

    wire.close()
    listener.socket.close()


@pytest.mark.parametrize("address", ["", "ftp://host:1", "tcp://host", "tls://host:x", "host:80"])
async def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressError):
        await dialled(address)


async def test_nobody_there_is_told_with_the_address(tmp_path: Path) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await dialled(f"unix:{tmp_path}/nothing")

    assert caught.value.address == f"unix:{tmp_path}/nothing"


async def test_a_host_without_a_name_is_told() -> None:
    with pytest.raises(ConnectFailed, match="connect tcp://nothing"):
        await dialled("tcp://nothing.invalid:80")


async def test_a_silent_server_has_a_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConnectFailed, match="timeout"):
            await dialled(f"tls://127.0.0.1:{port}", timeout=0.05)


async def test_a_server_without_tls_is_told() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(HandshakeFailed, match=r"WRONG_VERSION|UNEXPECTED"):
        await dialled(f"tls://127.0.0.1:{port}")
    server.close()
