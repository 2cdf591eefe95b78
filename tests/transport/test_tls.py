from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest

from gitaly_py.transport.errors import HandshakeFailed
from gitaly_py.transport.tls import TLSWire
from gitaly_py.transport.wire import SocketWire, receive, receive_exactly, send_all
from tests.support.mux import HOST, settled, tcp_pair, tls_contexts, wires


def pair_of(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> tuple[TLSWire, TLSWire]:
    one, other = tcp_pair()
    return (
        TLSWire(SocketWire(one), client_context, server_side=False, server_hostname=HOST),
        TLSWire(SocketWire(other), server_context, server_side=True),
    )


def test_an_old_client_is_refused(run) -> None:
    async def body() -> None:
        client_context, server_context = tls_contexts()
        client_context.maximum_version = ssl.TLSVersion.TLSv1_2
        server_context.minimum_version = ssl.TLSVersion.TLSv1_3
        client, server = pair_of(client_context, server_context)
        failures = await asyncio.gather(client.handshake(), server.handshake(), return_exceptions=True)
        assert [type(error) for error in failures] == [HandshakeFailed, HandshakeFailed]
        client.close()
        server.close()

    run(body())


def test_a_peer_that_leaves_in_the_handshake_is_told(run) -> None:
    async def body() -> None:
        one, other = tcp_pair()
        server = TLSWire(SocketWire(other), tls_contexts()[1], server_side=True)
        one.close()
        with pytest.raises(HandshakeFailed, match="handshake: "):
            await server.handshake()
        server.close()

    run(body())


@pytest.mark.parametrize("limit", [1, 1000, 16384, 16385, 200_000])
def test_what_is_left_in_memory_is_announced(run, limit) -> None:
    async def body() -> None:
        client, server = await wires("tls")
        await send_all(client, bytes(30_000))
        sizes: set[int] = set()
        left = 30_000
        enough = asyncio.Event()

        def arrived() -> None:
            nonlocal left
            with contextlib.suppress(BlockingIOError):
                size = len(server.recv(limit))
                sizes.add(size)
                left -= size
            if not left:
                server.watch_readable(None)
                enough.set()

        server.watch_readable(arrived)
        await enough.wait()
        assert max(sizes) <= limit
        client.abort()
        server.abort()

    run(body())


def test_an_end_without_an_end_mark_is_an_end(run) -> None:
    async def body() -> None:
        client, server = await wires("tls")
        await send_all(server, b"data")
        server.abort()
        assert await receive_exactly(client, 100) == b"data"
        assert await receive(client, 1) == b""
        client.close()

    run(body())


def test_a_writer_that_waits_hears_that_the_peer_is_gone(run) -> None:
    async def body() -> None:
        client, server = await wires("tls")
        writing = asyncio.ensure_future(send_all(server, bytes(64 << 20)))
        await settled()
        assert not writing.done()
        client.abort()
        with pytest.raises(OSError, match=r"reset|pipe"):
            await writing
        server.close()

    run(body())
