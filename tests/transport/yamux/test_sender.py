"""The order of frames on the wire."""

from __future__ import annotations

import asyncio

import pytest

from gitaly_py.transport.errors import SessionClosed
from gitaly_py.transport.wire import SocketWire, receive_exactly, send_all
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.frames import (
    ACK,
    FIN,
    HEADER_SIZE,
    INITIAL_WINDOW,
    SYN,
    FrameType,
    Header,
    decoded,
    encoded,
)
from gitaly_py.transport.yamux.sender import FRAME_BYTES
from gitaly_py.transport.yamux.session import Side
from tests.support.mux import settled, wires

WINDOW = 16 << 20


async def frame(wire: SocketWire) -> Header:
    """The next frame's header; its body is dropped."""
    header = decoded(await receive_exactly(wire, HEADER_SIZE))
    if header.type == FrameType.DATA:
        await receive_exactly(wire, header.length)
    return header


async def streams(peer: SocketWire, driver: Driver, count: int) -> list:
    """Opens streams, and grants each a large window."""
    opened = [await driver.open() for _ in range(count)]
    for stream in opened:
        await frame(peer)
        await send_all(peer, encoded(FrameType.WINDOW_UPDATE, ACK, stream.number, WINDOW))
    await settled()
    return opened


def test_streams_take_turns_and_control_frames_do_not_wait(run) -> None:
    async def body() -> None:
        peer, wire = await wires("unix")
        driver = Driver(wire, Side.SERVER)
        driver.start()
        alone, one, two = await streams(peer, driver, 3)
        many = bytes(8 * FRAME_BYTES)
        writes = [asyncio.ensure_future(stream.write(many)) for stream in (alone, one, two)]
        await settled()
        await send_all(peer, encoded(FrameType.PING, SYN, 0, 7))
        await settled()

        first, *seen = [await frame(peer) for _ in range(18)]

        assert (first.stream, first.length) == (alone.number, len(many))
        assert [header.type for header in seen[:4]].count(FrameType.PING) == 1
        data = [header for header in seen if header.type == FrameType.DATA]
        assert [header.stream for header in data[:14]] == [one.number, two.number] * 7
        assert {header.length for header in data[:14]} == {FRAME_BYTES}
        await asyncio.gather(*writes)
        driver.abort("test over")
        peer.close()

    run(body())


def test_small_writes_go_out_whole(run) -> None:
    async def body() -> None:
        peer, wire = await wires("unix")
        driver = Driver(wire, Side.SERVER)
        driver.start()
        (stream,) = await streams(peer, driver, 1)
        await stream.write(b"hello")
        assert await receive_exactly(peer, 17) == encoded(FrameType.DATA, 0, 2, 5) + b"hello"
        await stream.write(b"")
        stream.close()
        assert (await receive_exactly(peer, 12)).hex() == "000100040000000200000000"
        driver.abort("test over")
        peer.close()

    run(body())


def test_no_more_than_the_credit_is_sent_until_more_is_granted(run) -> None:
    async def body() -> None:
        peer, wire = await wires("unix")
        driver = Driver(wire, Side.SERVER)
        driver.start()
        stream = await driver.open()
        await frame(peer)
        writing = asyncio.ensure_future(stream.write(bytes(262144 + 10)))
        assert (await frame(peer)).length == 262144
        await settled()
        assert not writing.done()
        await send_all(peer, encoded(FrameType.WINDOW_UPDATE, ACK, 2, 4))
        assert (await frame(peer)).length == 4
        await send_all(peer, encoded(FrameType.WINDOW_UPDATE, 0, 2, 131072))
        assert (await frame(peer)).length == 6
        await writing
        driver.abort("test over")
        peer.close()

    run(body())


def test_what_belongs_together_leaves_in_one_piece(run) -> None:
    async def body() -> None:
        peer, wire = await wires("unix")
        driver = Driver(wire, Side.SERVER)
        driver.start()
        stream = await driver.open()
        await stream.write(b"first")
        opened = encoded(FrameType.WINDOW_UPDATE, SYN, 2, 0)
        assert peer.recv(1000) == opened + encoded(FrameType.DATA, 0, 2, 5) + b"first"

        await stream.write_soon(b"last")
        stream.close()
        await settled()

        ended = encoded(FrameType.WINDOW_UPDATE, FIN, 2, 0)
        assert peer.recv(1000) == encoded(FrameType.DATA, 0, 2, 4) + b"last" + ended
        driver.abort("test over")
        peer.close()

    run(body())


def test_a_few_bytes_wait_for_credit_like_any_others(run) -> None:
    async def body() -> None:
        peer, wire = await wires("unix")
        driver = Driver(wire, Side.SERVER)
        driver.start()
        stream = await driver.open()
        writing = asyncio.ensure_future(stream.write(bytes(INITIAL_WINDOW - 1)))
        await frame(peer)
        await frame(peer)
        await writing
        waiting = asyncio.ensure_future(stream.write_soon(b"last"))
        await settled()
        assert not waiting.done()

        await send_all(peer, encoded(FrameType.WINDOW_UPDATE, ACK, 2, 10))
        await waiting

        driver.abort("test over")
        with pytest.raises(SessionClosed):
            await stream.write_soon(b"late")
        peer.close()

    run(body())
