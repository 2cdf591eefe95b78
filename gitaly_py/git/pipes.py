"""Our ends of a child's standard streams: non-blocking pipes driven by the loop's readiness callbacks.

The descriptors are plain, so that whoever moves bulk data may splice them instead (`fd`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress

from gitaly_py.telemetry.turns import turn

READ_SIZE = 64 * 1024
"""What a pipe holds by default: larger reads would not return more."""

_BULK_READ_SIZE = 256 * 1024
_SHARED_READ_SIZE = 32 * 1024
"""What is read at a time while several streams take turns: calls that come meanwhile wait for each piece."""
_BULK_PIPE_SIZE = 512 * 1024
_GATHER_SECONDS = 0.001

_TURNS = 32
"""Reads or writes in a row after which other tasks get their turn, however fast the other end is."""


class _Pipe:
    """One end of a pipe that at most one task at a time waits for."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._waiter: asyncio.Future[None] | None = None
        self._turns = 0

    @property
    def closed(self) -> bool:
        """Whether our end is closed."""
        return self._fd < 0

    @property
    def fd(self) -> int:
        """The descriptor, for splice; it stays ours and is closed by `close`."""
        return self._fd

    def close(self) -> None:
        """Closes our end; whoever waits is woken. Closing twice is allowed."""
        if self._fd < 0:
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self._stop_watching()
            if not waiter.done():
                waiter.set_result(None)
        fd, self._fd = self._fd, -1
        os.close(fd)

    async def _ready(self, watch: Callable[..., None]) -> None:
        self._turns = 0
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        watch(self._fd, _wake, waiter)
        try:
            await waiter
        finally:
            if self._waiter is waiter:
                self._waiter = None
                self._stop_watching()

    async def _take_turns(self) -> None:
        self._turns += 1
        if self._turns >= _TURNS:
            self._turns = 0
            await asyncio.sleep(0)

    def _stop_watching(self) -> None:
        raise NotImplementedError


class PipeReader(_Pipe):
    """The reading end of a pipe."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._buffer = bytearray()

    @property
    def buffered(self) -> bytes:
        """What was taken from the pipe and not yet read: a splice begins after it."""
        return bytes(self._buffer)

    async def read(self, size: int = READ_SIZE) -> bytes:
        """Up to `size` bytes; empty at the end of the stream, or once the pipe is closed."""
        if not self._buffer:
            return await self._receive(size)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def read_exactly(self, size: int) -> bytes:
        """`size` bytes, or fewer at the end of the stream."""
        chunks = []
        while size > 0 and (chunk := await self.read(min(size, 1 << 20))):
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    async def read_until(self, separator: bytes) -> bytes:
        """Bytes up to and including `separator`; without it at the end of the stream."""
        searched = 0
        while (found := self._buffer.find(separator, searched)) < 0:
            searched = max(0, len(self._buffer) - len(separator) + 1)
            chunk = await self._receive(READ_SIZE)
            if not chunk:
                found = len(self._buffer)
                break
            self._buffer += chunk
        taken = bytes(self._buffer[: found + len(separator)])
        del self._buffer[: found + len(separator)]
        return taken

    async def batches(self, separator: bytes) -> AsyncGenerator[list[bytes]]:
        """All records, without their separators, as many at a time as have arrived."""
        rest = b""
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                *records, rest = (rest + chunk).split(separator)
                if records:
                    yield records
        if rest:
            yield [rest]

    async def chunks(self, size: int = _BULK_READ_SIZE) -> AsyncGenerator[bytes]:
        """Everything up to the end of the stream, up to `size` bytes at a time.

        git writes 4 KiB at a time. Once there is much of it, a moment's wait saves hundreds of reads.
        """
        total = 0
        most = size
        self.widen()
        while chunk := await self.read(most):
            if total:
                most = min(size, _SHARED_READ_SIZE) if await turn() else size
            yield chunk
            total += len(chunk)
            if total > READ_SIZE and len(chunk) < min(most, READ_SIZE):
                await asyncio.sleep(_GATHER_SECONDS)

    async def records(self, separator: bytes) -> AsyncIterator[bytes]:
        """All records, without their separators; what follows the last separator counts if not empty."""
        async for batch in self.batches(separator):
            for record in batch:
                yield record

    def widen(self) -> None:
        """Lets the pipe hold more, where the system grants it, so that a wait does not hold up git."""
        with suppress(PermissionError):
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _BULK_PIPE_SIZE)

    def receive_now(self, size: int = READ_SIZE) -> bytes | None:
        """What has arrived, without waiting: empty at the end of the stream, None when nothing is there."""
        try:
            return os.read(self._fd, size) if self._fd >= 0 else b""
        except BlockingIOError:
            return None

    async def _receive(self, size: int) -> bytes:
        await self._take_turns()
        while (data := self.receive_now(size)) is None:
            await self._ready(asyncio.get_running_loop().add_reader)
        return data

    def _stop_watching(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)


class PipeWriter(_Pipe):
    """The writing end of a pipe."""

    @property
    def capacity(self) -> int:
        """Bytes that the pipe holds: few, where its user has too many pipes."""
        return fcntl.fcntl(self._fd, fcntl.F_GETPIPE_SZ)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Writes all of `data`. Raises BrokenPipeError once the reader is gone or our end is closed."""
        rest = memoryview(data)
        while rest:
            await self._take_turns()
            written = self._send_now(rest)
            if written is None:
                await self._ready(asyncio.get_running_loop().add_writer)
            else:
                rest = rest[written:]

    def _send_now(self, data: memoryview) -> int | None:
        if self._fd < 0:
            raise BrokenPipeError("the pipe is closed")
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return None

    def _stop_watching(self) -> None:
        asyncio.get_running_loop().remove_writer(self._fd)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
