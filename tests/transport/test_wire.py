from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from gitaly_py.transport.wire import SocketWire, receive, receive_exactly, send_all
from tests.support.mux import settled, tcp_pair, wires

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])


@KINDS
def test_bytes_go_through_a_wire_whole(run, kind) -> None:
    async def body() -> None:
        one, other = await wires(kind)
        data = bytes(range(256)) * 8192
        _, got = await asyncio.gather(send_all(one, data), receive_exactly(other, len(data)))
        assert got == data
        one.abort()
        other.abort()

    run(body())


@KINDS
def test_an_end_in_one_direction_leaves_the_other(run, kind) -> None:
    async def body() -> None:
        one, other = await wires(kind)
        await send_all(one, b"question")
        one.shutdown_write()
        assert await receive_exactly(other, 100) == b"question"
        await send_all(other, b"answer")
        other.close()
        assert await receive_exactly(one, 100) == b"answer"
        one.close()

    run(body())


@KINDS
def test_closing_delivers_what_was_taken(run, kind) -> None:
    async def body() -> None:
        other, one = await wires(kind)
        sent = 0
        try:
            while True:
                sent += one.send(bytes(100_000))
        except BlockingIOError:
            one.close()
        assert len(await receive_exactly(other, sent + 1)) == sent
        other.close()

    run(body())


def test_data_before_a_reset_is_read_then_the_reset_is_told(run) -> None:
    async def body() -> None:
        peer, sock = tcp_pair()
        wire = SocketWire(sock)
        received = []
        over = asyncio.Event()

        def arrived() -> None:
            try:
                received.append(wire.recv(4))
            except ConnectionResetError:
                wire.watch_readable(None)
                over.set()

        wire.watch_readable(arrived)
        peer.sendall(b"lastwords")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        await asyncio.wait_for(over.wait(), 5)
        assert b"".join(received) == b"lastwords"
        wire.close()

    run(body())


def test_a_writer_that_waits_hears_of_a_reset(run) -> None:
    async def body() -> None:
        peer, sock = tcp_pair()
        wire = SocketWire(sock)
        writing = asyncio.ensure_future(send_all(wire, bytes(64 << 20)))
        await settled()
        assert not writing.done()
        peer.close()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await writing
        wire.close()

    run(body())


def test_a_cancelled_wait_leaves_nothing_behind(run) -> None:
    async def body() -> None:
        one, other = await wires("unix")
        waiting = asyncio.ensure_future(receive(one, 1))
        await settled()
        waiting.cancel()
        await asyncio.wait([waiting])
        await send_all(other, b"x")
        assert await receive(one, 1) == b"x"
        one.close()
        other.close()

    run(body())
