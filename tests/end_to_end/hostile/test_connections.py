"""Connections that send nothing, too little, or something else than HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.peers import HOST
from tests.support.siege import KINDS, PREFACE_SECONDS, Siege

MANY = {"unix": 2_000, "tcp": 10_000, "tls": 2_000}
_SPARE = 500
"""Descriptors for everything else, in this process and in the daemon."""


@pytest.fixture
def many_descriptors() -> Iterator[int]:
    """Raises this process's limit of open files; gives what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dial(siege: Siege, kind: str) -> socket.socket:
    """A plain socket, whatever the listener speaks."""
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(siege.served.daemon.socket))
        return sock
    return socket.create_connection((HOST, siege.served.tcp if kind == "tcp" else siege.served.tls))


def dripped(socks: list[socket.socket]) -> list[socket.socket]:
    """Sends a byte of the preface on each; those that still take it."""
    left = []
    for sock in socks:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.send(b"P")
            left.append(sock)
    return left


def hang_on(siege: Siege, kind: str, count: int) -> float:
    """Holds connections, half of them silent and half with a byte a second, until the daemon ends them all.

    Gives the seconds that took from the last connect on.
    """
    socks = [dial(siege, kind) for _ in range(count)]
    since = time.monotonic()
    slow, silent = socks[: count // 2], socks[count // 2 :]
    while slow:
        slow = dripped(slow)
        assert time.monotonic() - since < 10 * PREFACE_SECONDS
        time.sleep(max(0.0, 1 - (time.monotonic() - since) % 1))
    for sock in silent:
        sock.settimeout(10 * PREFACE_SECONDS)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    took = time.monotonic() - since
    for sock in socks:
        sock.close()
    return took


@pytest.mark.parametrize("kind", KINDS)
async def test_thousands_of_connections_that_say_nothing_end_and_hold_up_nobody(
    siege: Siege, kind: str, many_descriptors: int
) -> None:
    count = MANY[kind]
    if many_descriptors < count + _SPARE:
        pytest.skip(f"{count} connections need a hard limit of open files above {many_descriptors}")

    async with siege.lifted(kind) as others:
        took = await asyncio.to_thread(hang_on, siege, kind, count)

    assert took >= PREFACE_SECONDS / 2
    assert others.calls > 4


NOISE = {
    "HTTP/1.1": b"GET /gitaly.CommitService/FindCommit HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/1.1 upgrade": b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "pkt-lines": b"0033git-upload-pack /project.git\0host=myserver.com\0",
    "nulls": bytes(100_000),
    "noise": random.Random(1).randbytes(200_000),
    "noise behind a preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + random.Random(2).randbytes(200_000),
    "half a preface": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
}


async def ended(reader: asyncio.StreamReader) -> bool:
    """Reads until the daemon ends the connection."""
    async with asyncio.timeout(10 * PREFACE_SECONDS):
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
    return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NOISE)
async def test_other_protocols_and_noise_end_their_connection(siege: Siege, kind: str, name: str) -> None:
    async with siege.lifted(kind):
        for _ in range(5):
            reader, writer = await siege.connect(kind)
            writer.write(NOISE[name])
            assert await ended(reader)
            writer.close()


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_half_closed_connections_end(siege: Siege, kind: str) -> None:
    async with siege.lifted(kind):
        for first in (b"", b"PRI", b"backchannel", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            reader, writer = await siege.connect(kind)
            writer.write(first)
            writer.write_eof()
            assert await ended(reader), first
            writer.close()


async def test_tls_handshakes_that_stall_end(siege: Siege) -> None:
    hello = bytes.fromhex("16030100ff010000fb0303")

    async with siege.lifted("tls"):
        readers = []
        for index in range(200):
            reader, writer = await asyncio.open_connection(HOST, siege.served.tls)
            writer.write(hello[: index % (len(hello) + 1)])
            readers.append((reader, writer))
        assert all(await asyncio.gather(*(ended(reader) for reader, _ in readers)))
        for _, writer in readers:
            writer.close()


async def test_clients_that_vanish_leave_nothing(siege: Siege) -> None:
    async with siege.lifted("tcp"):
        for _ in range(500):
            sock = dial(siege, "tcp")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            with contextlib.suppress(OSError):
                sock.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            sock.close()
            await asyncio.sleep(0)
