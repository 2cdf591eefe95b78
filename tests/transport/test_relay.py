from __future__ import annotations

import asyncio

import pytest

from gitaly_py.transport.relay import relay
from gitaly_py.transport.wire import WIRE_ERRORS, receive, receive_exactly, send_all
from tests.support.mux import sessions, settled, wires

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])
BLOCK = bytes(range(256)) * 4096


async def relayed(kind: str, first: bytes = b""):
    """A relay between two pairs of wires: the client's end, the server's end, and the running relay."""
    client, inner_client = await wires(kind)
    server, inner_server = await wires("unix")
    return client, server, asyncio.ensure_future(relay(inner_client, inner_server, first=first))


@KINDS
def test_bytes_read_before_come_first(run, kind) -> None:
    async def body() -> None:
        client, server, running = await relayed(kind, b"first ")
        await send_all(client, b"then")
        assert await receive_exactly(server, 10) == b"first then"
        server.close()
        await running
        assert await receive(client, 1) == b""
        client.close()

    run(body())


@KINDS
def test_much_passes_both_ways_at_once(run, kind) -> None:
    async def body() -> None:
        client, server, running = await relayed(kind)
        *_, got, back = await asyncio.gather(
            send_all(client, BLOCK * 4),
            send_all(server, BLOCK * 4),
            receive_exactly(server, len(BLOCK) * 4),
            receive_exactly(client, len(BLOCK) * 4),
        )
        assert got == back == BLOCK * 4
        server.close()
        await running
        client.close()

    run(body())


def test_a_client_that_has_ended_still_gets_its_answer(run) -> None:
    async def body() -> None:
        client, server, running = await relayed("tcp")
        await send_all(client, b"question")
        client.shutdown_write()
        assert await receive_exactly(server, 100) == b"question"
        await send_all(server, b"answer")
        server.close()
        assert await receive_exactly(client, 100) == b"answer"
        await running
        client.close()

    run(body())


@KINDS
def test_what_a_server_said_last_reaches_a_client_that_still_sends(run, kind) -> None:
    async def body() -> None:
        client, server, running = await relayed(kind)
        await send_all(server, b"last words")
        server.close()
        for _ in range(5):
            await send_all(client, b"more")
            await settled()
        assert await receive_exactly(client, 100) == b"last words"
        client.close()
        await running

    run(body())


def test_a_server_that_does_not_read_holds_the_client_up(run) -> None:
    async def body() -> None:
        client, server, running = await relayed("unix")
        sending = asyncio.ensure_future(send_all(client, BLOCK * 16))
        await settled()
        assert not sending.done()
        assert await receive_exactly(server, len(BLOCK) * 16) == BLOCK * 16
        await sending
        running.cancel()
        await asyncio.wait([running])
        client.close()
        server.close()

    run(body())


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_wire_that_breaks_ends_the_other(run, side) -> None:
    async def body() -> None:
        client, server, running = await relayed("tcp")
        broken, other = (client, server) if side == "client" else (server, client)
        sending = asyncio.ensure_future(send_all(other, BLOCK * 64))
        await settled()
        broken.close()
        with pytest.raises(WIRE_ERRORS):
            await sending
        await asyncio.wait([running])
        assert isinstance(running.exception(), OSError)
        other.close()

    run(body())


def test_a_stream_can_be_relayed_whatever_its_window(run) -> None:
    async def body() -> None:
        async with sessions("tcp", window=16 << 20) as pair:
            far, near = await pair.stream()
            client, inner = await wires("unix")
            running = asyncio.ensure_future(relay(inner, near))
            sending = asyncio.ensure_future(far.write(BLOCK * 8))
            await settled()
            assert await receive_exactly(client, len(BLOCK) * 8) == BLOCK * 8
            await sending
            await send_all(client, b"back")
            client.shutdown_write()
            assert await receive_exactly(far, 100) == b"back"
            far.close()
            await running
            assert await receive(client, 1) == b""
            client.close()

    run(body())
