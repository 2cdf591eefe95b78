"""A pack that is made for one client and not kept: its packets go through a pipe of our own.

The kernel moves the pack from git's pipe into ours, and from there to the client.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from typing import Final

from gitaly_py.git.pipes import PipeReader, PipeWriter
from gitaly_py.git.splicing import filled, spliced, widen
from gitaly_py.git.wire import sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.packs.flow import Callback, Flow
from gitaly_py.packs.reader import PackReader, Wire

PIPE_BYTES: Final = 1 << 20
BLOCK: Final = 262144  # most that is copied through memory at a time

_SPLICE_F_MOVE: Final = 1
_SPLICE_F_NONBLOCK: Final = 2


class DirectFlow(Flow):
    """Gives packets to its one reader, at the reader's pace."""

    def __init__(self, key: str) -> None:
        super().__init__()
        ours, packets = os.pipe()
        widen(ours, PIPE_BYTES)
        self._packets = PipeWriter(packets)
        self.reader = DirectReader(self, PipeReader(ours), key)

    async def write(self, packet: bytes) -> None:
        """See Flow."""
        # Without a reader the producer is about to be ended.
        with suppress(BrokenPipeError):
            await self._packets.write(packet)
        self.written += len(packet)

    async def pack(self, pipe: int) -> int:
        """See Flow."""
        there = filled(pipe)
        for left in range(there, 0, -sideband.MAX_DATA):
            length = min(left, sideband.MAX_DATA)
            await self.write(sideband.header(Band.DATA, length))
            with suppress(BrokenPipeError):
                await spliced(pipe, self._packets.fd, length)
            self.written += length
        return there

    def end(self, failure: Exception | None) -> None:
        """See Flow."""
        self.failure = failure
        self.over = True
        self._packets.close()

    def leave(self) -> None:
        """The reader has gone."""
        if not self.over:
            self.abandon()


class DirectReader(PackReader):
    """Reads our pipe; what can't be spliced from it is read."""

    def __init__(self, flow: DirectFlow, pipe: PipeReader, key: str) -> None:
        super().__init__(flow, key, hit=False)
        self._direct = flow
        self._pipe = pipe
        self._held = memoryview(b"")  # read, and not yet taken by the wire
        self._spliceable = True
        self._waiting = False

    def available(self) -> int:
        """See PackReader."""
        return len(self._held) + filled(self._pipe.fd)

    def wait(self, callback: Callback | None) -> None:
        """See PackReader."""
        loop = asyncio.get_running_loop()
        if self._waiting:
            self._waiting = False
            loop.remove_reader(self._pipe.fd)
        if callback is not None:
            self._waiting = True
            loop.add_reader(self._pipe.fd, self._called, callback)

    def transfer(self, wire: Wire, length: int) -> int:
        """See PackReader."""
        sent = 0
        if wire.splice_fd is not None and self._spliceable and not self._held:
            sent = self._splice(wire.splice_fd, length)
        if not sent:
            if not self._held:
                self._held = memoryview(os.read(self._pipe.fd, min(length, BLOCK)))
            sent = wire.send(self._held[:length])
            self._held = self._held[sent:]
        self.sent += sent
        return sent

    def detach(self, length: int) -> bytes:
        """See PackReader."""
        data = bytes(self._held[:length])
        self._held = self._held[length:]
        while len(data) < length:
            data += os.read(self._pipe.fd, length - len(data))
        self.sent += length
        return data

    def close(self) -> None:
        """See PackReader."""
        self.wait(None)
        self._pipe.close()
        self._direct.leave()

    def _called(self, callback: Callback) -> None:
        self.wait(None)
        callback()

    def _splice(self, target: int, length: int) -> int:
        try:
            return os.splice(self._pipe.fd, target, length, flags=_SPLICE_F_MOVE | _SPLICE_F_NONBLOCK)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._spliceable = False
            return 0
