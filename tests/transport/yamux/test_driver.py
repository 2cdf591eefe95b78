"""Two sessions over a real connection, on both event loops."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import socket

import pytest

from gitaly_py.transport.errors import SessionClosed, StreamClosed, StreamReset
from gitaly_py.transport.wire import receive_exactly, send_all
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.session import Side
from tests.support.mux import failure, read_all, sessions, settled, wires

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])
MIB = 1 << 20
NOISE = random.Random(5).randbytes(5 * MIB + 17)


@pytest.fixture
def noise_file(tmp_path):
    path = tmp_path / "noise"
    path.write_bytes(NOISE)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@KINDS
def test_bytes_arrive_whole_and_in_order_both_ways(run, kind) -> None:
    async def body() -> None:
        async with sessions(kind) as pair:
            one, other = await pair.stream()

            async def send(stream) -> None:
                await stream.write(NOISE)
                stream.close()

            *_, got, echoed = await asyncio.gather(send(one), send(other), read_all(other), read_all(one))
            assert got == NOISE
            assert echoed == NOISE

    run(body())


@KINDS
def test_a_range_of_a_file_arrives(run, kind, noise_file) -> None:
    async def body() -> None:
        async with sessions(kind, window=16 * MIB) as pair:
            one, other = await pair.stream()

            async def send() -> None:
                await one.write(b"head")
                await one.send_file(noise_file, 7, len(NOISE) - 7)
                await one.write(b"tail")
                one.close()

            _, got = await asyncio.gather(send(), read_all(other))
            assert got == b"head" + NOISE[7:] + b"tail"

    run(body())


@KINDS
def test_a_pipe_arrives_until_its_end(run, kind) -> None:
    async def body() -> None:
        reading, writing = os.pipe()
        async with sessions(kind) as pair:
            one, other = await pair.stream()

            async def send() -> int:
                sent = await one.send_pipe(reading)
                one.close()
                return sent

            def produce() -> None:
                with os.fdopen(writing, "wb", buffering=0) as pipe:
                    rest = memoryview(NOISE)
                    while rest:
                        rest = rest[pipe.write(rest[: random.randrange(1, 200_000)]) :]

            sent, got, _ = await asyncio.gather(send(), read_all(other), asyncio.to_thread(produce))
            os.close(reading)
            assert sent == len(NOISE)
            assert hashlib.sha256(got).digest() == hashlib.sha256(NOISE).digest()

    run(body())


def test_an_empty_pipe_sends_nothing(run) -> None:
    async def body() -> None:
        reading, writing = os.pipe()
        os.close(writing)
        async with sessions() as pair:
            one, _ = await pair.stream()
            assert await one.send_pipe(reading) == 0
        os.close(reading)

    run(body())


def test_what_cannot_be_spliced_is_read(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, other = await pair.stream()
            source, feeder = socket.socketpair()
            feeder.sendall(b"x" * 1000)
            feeder.close()
            assert await one.send_pipe(source.fileno()) == 1000
            one.close()
            assert await read_all(other) == b"x" * 1000
            source.close()

    run(body())


def test_600_kib_wait_for_the_reader(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, other = await pair.stream()
            writing = asyncio.ensure_future(one.write(bytes(600 * 1024)))
            await settled()
            assert not writing.done()

            got = 0
            while got < 600 * 1024:
                got += len(await other.read())
            await writing

    run(body())


@KINDS
def test_a_stream_nobody_reads_holds_up_no_other(run, kind) -> None:
    async def body() -> None:
        async with sessions(kind) as pair:
            stuck, _ = await pair.stream()
            one, other = await pair.stream()
            writing = asyncio.ensure_future(stuck.write(bytes(4 * MIB)))
            _, got = await asyncio.gather(one.write(NOISE), receive_exactly(other, len(NOISE)))
            assert got == NOISE
            assert not writing.done()
            writing.cancel()

    run(body())


def test_many_streams_share_the_connection(run, noise_file) -> None:
    async def body() -> None:
        async with sessions("tcp") as pair:
            streams = [await pair.stream() for _ in range(20)]

            async def send(stream) -> None:
                await stream.send_file(noise_file, 0, MIB)
                stream.close()

            results = await asyncio.gather(
                *(send(one) for one, _ in streams), *(read_all(other) for _, other in streams)
            )
            assert results[20:] == [NOISE[:MIB]] * 20

    run(body())


def test_reading_ends_with_the_peers_close_and_writing_may_go_on(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, other = await pair.stream()
            one.close()
            assert await other.read() == b""
            await other.write(b"answer")
            other.close()
            assert await read_all(one) == b"answer"
            assert isinstance(await failure(one.write(b"more")), StreamClosed)

    run(body())


def test_reset_discards_what_was_not_read(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, other = await pair.stream()
            await one.write(b"unread")
            await settled()
            one.reset()
            await settled()
            assert isinstance(await failure(other.read()), StreamReset)
            assert isinstance(await failure(other.write(b"x")), StreamReset)
            assert isinstance(await failure(one.read()), StreamReset)

    run(body())


def test_reset_wakes_a_writer_without_credit(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, other = await pair.stream()
            writing = asyncio.ensure_future(failure(one.write(bytes(MIB))))
            await settled()
            other.reset()
            assert isinstance(await writing, StreamReset)

    run(body())


def test_a_closed_stream_is_aborted_when_the_peer_does_not_close_it(run) -> None:
    async def body() -> None:
        async with sessions(close_timeout=0.02) as pair:
            one, other = await pair.stream()
            one.close()
            assert await other.read() == b""
            assert isinstance(await failure(other.write(bytes(MIB))), StreamReset)
            assert isinstance(await failure(one.read()), StreamReset)

    run(body())


def test_a_closed_stream_that_the_peer_closes_too_is_left_alone(run) -> None:
    async def body() -> None:
        async with sessions(close_timeout=0.02) as pair:
            one, other = await pair.stream()
            await other.write(b"data")
            one.close()
            other.close()
            await asyncio.sleep(0.05)
            assert await read_all(one) == b"data"

    run(body())


@KINDS
def test_a_peer_that_vanishes_raises_after_what_it_sent(run, kind) -> None:
    async def body() -> None:
        async with sessions(kind) as pair:
            one, other = await pair.stream()
            await one.write(b"sent")
            pair.client.close()
            await pair.client.wait_closed()
            await pair.server.wait_closed()
            assert await other.read() == b"sent"
            assert isinstance(await failure(other.read()), SessionClosed)
            assert isinstance(await failure(other.write(b"x")), SessionClosed)
            assert isinstance(await failure(pair.server.open()), SessionClosed)
            assert isinstance(await failure(pair.server.accept()), SessionClosed)

    run(body())


def test_discarding_lets_the_writer_through(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, other = await pair.stream()
            other.discard()
            await asyncio.wait_for(one.write(NOISE), 10)

    run(body())


def test_a_cancelled_write_leaves_the_session_whole(run, noise_file) -> None:
    async def body() -> None:
        async with sessions("unix", window=16 * MIB) as pair:
            one, other = await pair.stream()
            second, second_other = await pair.stream()
            pair.server._wire.watch_readable(None)
            writing = asyncio.ensure_future(one.send_file(noise_file, 0, len(NOISE)))
            await settled()
            writing.cancel()
            await asyncio.wait([writing])
            pair.server._wire.watch_readable(pair.server._read)
            await second.write(b"still here")
            assert await receive_exactly(second_other, 10) == b"still here"
            one.close()
            got = await read_all(other)
            assert NOISE.startswith(got)
            assert 0 < len(got) < len(NOISE)

    run(body())


def test_a_file_that_is_too_short_breaks_the_session(run, tmp_path) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, _ = await pair.stream()
            error = await failure(one.send_file(file.fileno(), 0, 100))
            assert str(error) == "session closed: source ended 95 bytes early"

    (tmp_path / "short").write_bytes(b"short")
    with (tmp_path / "short").open("rb") as file:
        run(body())


def test_violations_are_told_and_end_the_session(run) -> None:
    async def body() -> None:
        one, other = await wires("unix")
        server = Driver(other, Side.SERVER)
        server.start()
        await send_all(one, bytes.fromhex("000100010000000100000000") * 2)
        assert (await receive_exactly(one, 100)).hex() == "000300000000000000000001"
        await server.wait_closed()
        assert server.violation
        assert str(server.failure) == "session closed: stream 1 is open already"
        one.close()

    run(body())


def test_a_peer_that_only_asks_is_not_read_for_ever(run) -> None:
    async def body() -> None:
        one, other = await wires("unix")
        server = Driver(other, Side.SERVER)
        server.start()
        ping = bytes.fromhex("000200010000000000000001") * 4096
        sending = asyncio.ensure_future(send_all(one, ping * 30))
        await settled()
        assert not sending.done()
        await receive_exactly(one, 30 * len(ping))
        await sending
        server.abort("test over")
        one.close()

    run(body())
