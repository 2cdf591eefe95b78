from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.transport.yamux.stream import GATHER_BYTES, Stream
from tests.support.mux import sessions, settled


class Consumption:
    """Stands where a driver would, and counts what is reported as consumed."""

    def __init__(self) -> None:
        self.total = 0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def consumed(self, _: Stream, length: int) -> None:
        self.total += length


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=12), st.lists(st.integers(1, 60), min_size=1))
def test_reads_of_any_size_give_the_bytes_in_order(chunks: list[bytes], limits: list[int]) -> None:
    driver = Consumption()
    stream = Stream(cast("Any", driver), 2)
    for chunk in chunks:
        stream.received(chunk)
    stream.ended()

    got = b""
    for limit in limits * (sum(map(len, chunks)) + 1):
        data = stream.recv(limit)
        assert len(data) <= limit
        if not data:
            break
        got += data

    assert got == b"".join(chunks)
    assert driver.total == len(got)


def test_small_pieces_are_put_together_and_large_ones_are_not() -> None:
    stream = Stream(cast("Any", Consumption()), 2)
    for size in (10, 20, GATHER_BYTES, 5):
        stream.received(bytes(size))

    assert [len(stream.recv(1 << 20)) for _ in range(2)] == [GATHER_BYTES + 30, 5]


def test_discarding_reports_what_had_arrived() -> None:
    driver = Consumption()
    stream = Stream(cast("Any", driver), 2)
    stream.received(b"abcdef")
    stream.recv(2)

    stream.discard()

    assert driver.total == 6
    assert not stream.received(b"more")


def test_one_write_at_a_time(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, _ = await pair.stream()
            first = asyncio.ensure_future(one.write(bytes(1 << 20)))
            await settled()
            with pytest.raises(RuntimeError, match="another write is in progress"):
                await one.write(b"second")
            first.cancel()

    run(body())


def test_closing_ends_a_write_in_progress(run) -> None:
    async def body() -> None:
        async with sessions() as pair:
            one, other = await pair.stream()
            writing = asyncio.ensure_future(one.write(bytes(1 << 20)))
            await settled()
            one.close()
            await asyncio.wait([writing])
            assert str(writing.exception()) == "stream closed"
            got = 0
            while data := await other.read():
                got += len(data)
            assert got == 262144

    run(body())


async def test_data_and_the_end_that_come_together_are_both_told() -> None:
    driver = Consumption()
    stream = Stream(cast("Any", driver), 2)
    got: list[bytes] = []

    def read() -> None:
        got.append(stream.recv(100))
        if not got[-1]:
            stream.watch_readable(None)

    stream.watch_readable(read)
    stream.received(b"data")
    stream.ended()
    stream.wake_reader()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert got == [b"data", b""]
