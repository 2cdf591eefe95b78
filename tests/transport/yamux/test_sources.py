from __future__ import annotations

import asyncio
import os
import socket

from gitaly_py.transport.wire import SocketWire
from gitaly_py.transport.yamux.sources import BULK_BYTES, FEW_BYTES, PipeSource


class Bulk:
    """A pipe that has given BULK_BYTES already."""

    def __init__(self) -> None:
        one, self._other = socket.socketpair()
        self.wire = SocketWire(one)
        self._reading, self.writing = os.pipe()
        self.source = PipeSource(self._reading)
        while self.source.sent < BULK_BYTES:
            os.write(self.writing, bytes(32768))
            self.transfer(self.source.available())

    def transfer(self, length: int) -> None:
        """Moves exactly `length` bytes."""
        end = self.source.sent + length
        while self.source.sent < end:
            self.source.transfer(self.wire, end - self.source.sent)
            self._other.recv(1 << 20)

    async def waited(self) -> None:
        """Returns when the source calls back."""
        called = asyncio.Event()
        self.source.wait(called.set)
        await called.wait()

    def close(self) -> None:
        self.source.wait(None)
        self.wire.close()
        self._other.close()
        os.close(self._reading)


def test_the_first_bytes_of_a_pipe_are_available_at_once(run) -> None:
    async def body() -> None:
        reading, writing = os.pipe()
        os.write(writing, b"first")
        assert PipeSource(reading).available() == 5
        os.close(reading)
        os.close(writing)

    run(body())


def test_a_little_of_a_bulk_is_left_to_grow(run) -> None:
    async def body() -> None:
        bulk = Bulk()
        os.write(bulk.writing, b"little")
        assert bulk.source.available() == 0
        assert not bulk.source.done
        os.write(bulk.writing, b" more")
        await bulk.waited()
        assert bulk.source.available() == 11
        os.close(bulk.writing)
        bulk.close()

    run(body())


def test_much_of_a_bulk_is_available_at_once(run) -> None:
    async def body() -> None:
        bulk = Bulk()
        os.write(bulk.writing, bytes(FEW_BYTES))
        assert bulk.source.available() == FEW_BYTES
        os.close(bulk.writing)
        bulk.close()

    run(body())


def test_a_bulk_ends_with_what_was_left_to_grow(run) -> None:
    async def body() -> None:
        bulk = Bulk()
        os.write(bulk.writing, b"last")
        os.close(bulk.writing)
        assert bulk.source.available() == 0
        assert not bulk.source.done
        await bulk.waited()
        bulk.transfer(bulk.source.available())
        assert bulk.source.sent == BULK_BYTES + 4
        assert bulk.source.available() == 0
        assert bulk.source.done
        bulk.close()

    run(body())
