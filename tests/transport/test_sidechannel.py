"""Side channels end to end: client, front door, gRPC call, server's end (transport.md 1.7 to 1.9, 12)."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from gitaly_py.transport.client import ClientSidechannel
from gitaly_py.transport.errors import (
    CallbackNotRun,
    InvalidFrame,
    OpenFailed,
    SessionClosed,
    StreamClosed,
    StreamReset,
    TransportError,
    UnexpectedEOF,
)
from gitaly_py.transport.framing import framed
from gitaly_py.transport.sidechannel import METADATA_KEY, Sidechannel, open_on, sidechannel_id
from gitaly_py.transport.wire import receive_exactly
from gitaly_py.transport.yamux.stream import Stream
from tests.support.front import Front, call, check, front_door
from tests.support.mux import Sessions, read_all, sessions, settled

MIB = 1 << 20
NOISE = random.Random(7).randbytes(MIB)
KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with front_door(tmp_path) as started:
        yield started


async def input_of(channel: Sidechannel) -> bytes:
    parts = []
    while data := await channel.read():
        parts.append(data)
    return b"".join(parts)


async def echo(channel: Sidechannel) -> bytes:
    while data := await channel.read():
        await channel.write(data)
    return b"done"


async def write_then_read(channel: ClientSidechannel) -> bytes:
    async def send() -> None:
        await channel.write(NOISE)
        await channel.close_write()

    _, got = await asyncio.gather(send(), read_all(channel))
    return got


@KINDS
async def test_ten_calls_at_once_echo_a_mebibyte_each(front: Front, kind: str) -> None:
    front.serve = echo

    async with await front.dial(kind) as connection:

        async def one() -> bytes:
            got: list[bytes] = []

            async def callback(channel: ClientSidechannel) -> None:
                got.append(await write_then_read(channel))

            with connection.register(callback) as waiter:
                assert await call(connection.channel(), waiter.metadata) == b"done"
                await waiter.wait()
            return got[0]

        assert await asyncio.gather(*(one() for _ in range(10))) == [NOISE] * 10


async def test_a_client_may_send_everything_before_it_reads(front: Front) -> None:
    async def serve(channel: Sidechannel) -> bytes:
        await channel.write(b"early " * 10)
        data = await input_of(channel)
        await channel.write(data)
        return b"done"

    front.serve = serve
    got: list[bytes] = []

    async def callback(channel: ClientSidechannel) -> None:
        await channel.write(NOISE)
        await channel.close_write()
        got.append(await read_all(channel))

    async with await front.dial("tcp") as connection:
        with connection.register(callback) as waiter:
            await call(connection.channel(), waiter.metadata)
            await waiter.wait()

    assert got == [b"early " * 10 + NOISE]


async def test_files_and_pipes_reach_the_client(front: Front, tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(NOISE)
    descriptor = os.open(tmp_path / "pack", os.O_RDONLY)

    async def serve(channel: Sidechannel) -> bytes:
        reading, writing = os.pipe()
        os.write(writing, b"from a pipe")
        os.close(writing)
        await channel.send_file(descriptor, 100, MIB - 100)
        sent = await channel.send_pipe(reading)
        os.close(reading)
        return str(sent).encode()

    front.serve = serve
    got: list[bytes] = []

    async def callback(channel: ClientSidechannel) -> None:
        got.append(await read_all(channel))

    async with await front.dial("tcp") as connection:
        with connection.register(callback) as waiter:
            assert await call(connection.channel(), waiter.metadata) == b"11"
            await waiter.wait()
    os.close(descriptor)

    assert got == [NOISE[100:] + b"from a pipe"]


async def test_a_server_that_stops_reading_lets_the_client_finish(front: Front) -> None:
    async def serve(channel: Sidechannel) -> bytes:
        await channel.read()
        channel.discard_input()
        assert await channel.read() == b""
        await channel.write(b"over")
        return b"done"

    front.serve = serve
    got: list[bytes] = []

    async def callback(channel: ClientSidechannel) -> None:
        for _ in range(40):
            await channel.write(NOISE)
        await channel.close_write()
        got.append(await read_all(channel))

    async with await front.dial("unix") as connection:
        with connection.register(callback) as waiter:
            await call(connection.channel(), waiter.metadata)
            await waiter.wait()

    assert got == [b"over"]


async def test_an_error_after_output_leaves_a_clean_end(front: Front) -> None:
    async def serve(channel: Sidechannel) -> bytes:
        await channel.write(b"partial")
        raise UnexpectedEOF

    front.serve = serve
    got: list[bytes] = []

    async def callback(channel: ClientSidechannel) -> None:
        got.append(await read_all(channel))

    async with await front.dial("unix") as connection:
        with connection.register(callback) as waiter:
            with pytest.raises(grpc.aio.AioRpcError, match="sidechannel: unexpected EOF"):
                await call(connection.channel(), waiter.metadata)
            await waiter.wait()

    assert got == [b"partial"]


async def test_calls_find_their_channels_in_any_order(front: Front) -> None:
    front.serve = echo
    served: list[int] = []

    async with await front.dial("unix") as connection:

        def registered(number: int):
            async def callback(channel: ClientSidechannel) -> None:
                served.append(number)
                await channel.close_write()

            return connection.register(callback)

        waiters = [registered(number) for number in range(3)]
        assert waiters[1].id == waiters[0].id + 1
        for waiter in reversed(waiters):
            await call(connection.channel(), waiter.metadata)
            await waiter.wait()

    assert served == [2, 1, 0]


async def test_an_id_works_once(front: Front) -> None:
    front.serve = echo

    async def callback(channel: ClientSidechannel) -> None:
        await channel.close_write()

    async with await front.dial("unix") as connection:
        waiter = connection.register(callback)
        await call(connection.channel(), waiter.metadata)
        with pytest.raises(grpc.aio.AioRpcError, match="sidechannel: EOF") as caught:
            await call(connection.channel(), waiter.metadata)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_calls_without_a_channel_get_the_reason(front: Front) -> None:
    front.serve = echo

    async with front.plain("tcp") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)
        assert caught.value.details() == "sidechannel: sidechannel-id not found in incoming metadata"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, (METADATA_KEY, "0"))
        assert (
            caught.value.details() == "sidechannel: fail to extract mux session: non-multiplexed connection"
        )


async def test_a_callback_that_has_not_run_is_told(front: Front) -> None:
    async def callback(channel: ClientSidechannel) -> None:
        raise AssertionError("not reached")

    async with await front.dial("unix") as connection:
        with connection.register(callback) as waiter:
            await call(connection.channel(), waiter.metadata)
            assert not waiter.called
            with pytest.raises(CallbackNotRun, match="callback has not run"):
                await waiter.wait()


async def test_an_error_of_the_callback_reaches_who_waits(front: Front) -> None:
    async def serve(channel: Sidechannel) -> bytes:
        with pytest.raises(UnexpectedEOF):
            await input_of(channel)
        return b"done"

    async def callback(channel: ClientSidechannel) -> None:
        raise LookupError("mine")

    front.serve = serve
    async with await front.dial("unix") as connection:
        with connection.register(callback) as waiter:
            assert await call(connection.channel(), waiter.metadata) == b"done"
            with pytest.raises(LookupError, match="mine"):
                await waiter.wait()


async def test_a_client_that_stops_reading_and_leaves_frees_the_server(front: Front) -> None:
    ended = asyncio.Event()

    async def serve(channel: Sidechannel) -> bytes:
        try:
            while True:
                await channel.write(NOISE)
        except StreamReset:
            ended.set()
            raise

    async def stuck(channel: ClientSidechannel) -> None:
        await channel.read()
        await asyncio.sleep(0.1)

    front.serve = serve
    async with await front.dial("tcp") as connection:
        waiter = connection.register(stuck)
        calling = asyncio.ensure_future(call(connection.channel(), waiter.metadata))
        await settled()
        assert await check(connection.channel())
        await asyncio.wait_for(ended.wait(), 5)
        with pytest.raises(grpc.aio.AioRpcError, match="connection reset"):
            await calling


async def test_nothing_is_written_after_the_end(front: Front) -> None:
    front.serve = echo

    async def callback(channel: ClientSidechannel) -> None:
        await channel.close_write()
        await channel.close_write()
        await channel.write(b"late")

    async with await front.dial("unix") as connection:
        with connection.register(callback) as waiter:
            await call(connection.channel(), waiter.metadata)
            with pytest.raises(StreamClosed):
                await waiter.wait()


@pytest.mark.parametrize(
    ("values", "number"),
    [
        (["7"], 7),
        (["7", "8"], 8),
        (["x"], 0),
        ([""], 0),
        (["1_0"], 0),
        (["-1"], -1),
        ([str(2**63)], 0),
        ([str(2**63 - 1)], 2**63 - 1),
    ],
    ids=str,
)
def test_the_last_value_of_the_id_counts(values: list[str], number: int) -> None:
    assert sidechannel_id({METADATA_KEY: values}) == number


async def opened(pair: Sessions, answer: bytes | None, *, number: int = 0, timeout: float = 5.0):
    """Opens a side channel while the other end answers as told; None answers nothing."""

    async def client() -> Stream:
        stream = await pair.client.accept()
        assert await receive_exactly(stream, 19) == b"sidechannel" + number.to_bytes(8, "big", signed=True)
        if answer is not None:
            await stream.write(answer)
            if len(answer) < 2:
                stream.close()
        return stream

    channel, stream = await asyncio.gather(
        open_on(pair.server, number, timeout=timeout), client(), return_exceptions=True
    )
    return channel, stream


@pytest.mark.parametrize(
    ("answer", "text", "retryable"),
    [
        (b"", "sidechannel: EOF", True),
        (b"o", "sidechannel: unexpected EOF", False),
        (b"no", 'sidechannel: expected ok, got "no"', False),
        (b'"\n', 'sidechannel: expected ok, got "\\"\\n"', False),
    ],
    ids=["unknown id", "half an answer", "another answer", "quoted"],
)
async def test_only_ok_opens_a_channel(answer: bytes, text: str, retryable: bool) -> None:
    async with sessions() as pair:
        error, stream = await opened(pair, answer, number=-5)

        assert isinstance(error, OpenFailed)
        assert (str(error), error.retryable) == (text, retryable)
        assert await stream.read() == b""


async def test_confirming_has_a_deadline() -> None:
    async with sessions() as pair:
        error, stream = await opened(pair, None, timeout=0.02)

        assert isinstance(error, OpenFailed)
        assert (str(error), error.retryable) == ("sidechannel: i/o timeout", False)
        assert await stream.read() == b""


async def test_a_lost_session_may_be_tried_again() -> None:
    async with sessions() as pair:
        pair.client.abort("gone")
        await pair.server.wait_closed()
        with pytest.raises(OpenFailed) as caught:
            await open_on(pair.server, 1)
        assert caught.value.retryable
        assert re.fullmatch("sidechannel: open stream: session closed: .*", str(caught.value))


@pytest.mark.parametrize(
    ("sent", "got", "error"),
    [
        (b"0004" + framed(b"a") + b"0004" + b"0000", b"a", None),
        (framed(bytes(65516)) + b"0000", bytes(65516), None),
        (framed(b"a") + b"0000" + b"trailing", b"a", None),
        (framed(b"a") + b"0002", b"a", InvalidFrame),
        (framed(b"a"), b"a", UnexpectedEOF),
        (b"00", b"", UnexpectedEOF),
    ],
    ids=[
        "empty frames",
        "largest frame",
        "bytes after the end",
        "invalid header",
        "early end",
        "end in a header",
    ],
)
async def test_input_is_taken_out_of_its_frames(
    sent: bytes, got: bytes, error: type[TransportError] | None
) -> None:
    async with sessions() as pair:
        channel, stream = await opened(pair, b"ok")
        async with channel:
            for start in range(0, len(sent), 30000):
                await stream.write(sent[start : start + 30000])
            stream.close()
            parts: list[bytes] = []
            caught: TransportError | None = None
            try:
                while data := await channel.read(1000):
                    assert len(data) <= 1000
                    parts.append(data)
            except TransportError as problem:
                caught = problem
        if error is not InvalidFrame:
            assert b"".join(parts) == got
        assert type(caught) is (error or type(None))
        assert await stream.read() == b""


async def test_input_of_a_vanished_client_ends_in_an_error() -> None:
    async with sessions() as pair:
        channel, stream = await opened(pair, b"ok")
        await stream.write(framed(b"a"))
        assert await channel.read() == b"a"
        pair.client.abort("gone")
        with pytest.raises(SessionClosed):
            await channel.read()
        channel.close()
