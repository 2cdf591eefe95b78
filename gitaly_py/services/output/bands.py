"""The two output streams of git on one side channel, as side-band packets (transport.md 1.8, 4).

The kernel moves standard output: the header of a packet and its data go into a pipe of our own, one after
the other, and what is in there goes to the client. So a packet is whole however the streams are mixed, and
the channel has a single writer.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import closing, suppress
from typing import Any

from gitaly_py.git.pipes import PipeReader, PipeWriter
from gitaly_py.git.process import Process
from gitaly_py.git.splicing import arrived, filled, spliced, widen
from gitaly_py.git.wire import sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.packs.reader import PackReader
from gitaly_py.services.output.banded import BandedSource
from gitaly_py.services.output.base import Output
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.errors import TransportError
from gitaly_py.transport.sidechannel import Sidechannel
from gitaly_py.transport.yamux.sources import PrefixedSource

_PIPE_BYTES = 512 * 1024
_BULK_BYTES = 1024 * 1024  # from here on packets get large, not early
_GATHER_SECONDS = 0.001
_NOTICE_SECONDS = 1.0


class Bands(Output):
    """Sends what git writes as packets of band 1 and 2. No flush packet follows: the end is the channel's."""

    def __init__(self, channel: Sidechannel) -> None:
        super().__init__()
        self._channel = channel
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: asyncio.Task[None]
        self._packets: PipeWriter | None = None

    def end_input(self) -> None:
        """See Output."""
        self._channel.discard_input()

    async def write(self, data: bytes) -> None:
        """See Output."""
        await self._channel.write(b"".join(sideband.encode(Band.DATA, data)))
        self.sent += len(data)

    async def conclude(self, data: bytes) -> None:
        """See Output."""
        await self._channel.write_soon(b"".join(sideband.encode(Band.DATA, data)))
        self.sent += len(data)

    async def send(self, prefix: bytes, pack: PackReader) -> None:
        """See Output."""
        await self._channel.send_source(BandedSource(PrefixedSource(prefix, pack)))
        self.sent += len(prefix) + pack.sent

    async def take(self, process: Process) -> None:
        """See Output. When the client takes no more, git is left to end of a broken pipe."""
        ours, theirs = os.pipe()
        with closing(PipeReader(ours)) as source, closing(PipeWriter(theirs)) as packets:
            self._packets = packets
            self._sending = spawn(self._send(source), name="side-band packets", owner=self._tasks)
            try:
                await super().take(process)
                packets.close()
                await self._sending
            finally:
                await end_all(self._tasks)
                self._packets = None

    async def _send(self, source: PipeReader) -> None:
        try:
            await self._channel.send_pipe(source.fd)
        except TransportError as error:
            self.broken = error
        finally:
            source.close()

    async def _take_stdout(self, process: Process) -> None:
        if self._packets is None:
            raise ValueError("no process's output is being taken")
        work = self._pack(process.stdout_fd, self._packets)
        packing = spawn(work, name="stdout of git", owner=self._tasks)
        await asyncio.wait({packing, self._sending}, return_when=asyncio.FIRST_COMPLETED)
        if self._sending.done():
            await end_all({packing})
            await _let_notice(process)
        else:
            await packing

    async def _pack(self, fd: int, packets: PipeWriter) -> None:
        large = widen(fd, _PIPE_BYTES)
        moved = 0
        while length := await arrived(fd):
            # git writes some 8 KiB at a time: a moment later there is more, and fewer packets do.
            if large and moved > _BULK_BYTES and length < sideband.MAX_DATA:
                await asyncio.sleep(_GATHER_SECONDS)
            length = min(filled(fd), sideband.MAX_DATA)
            with suppress(BrokenPipeError):
                async with self._turn:
                    await packets.write(sideband.header(Band.DATA, length))
                    await spliced(fd, packets.fd, length)
            moved += length
            self.sent += length

    async def _give_stderr(self, data: bytes) -> None:
        packets = b"".join(sideband.encode(Band.PROGRESS, data))
        if self._packets is None:
            await self._channel.write(packets)
            return
        with suppress(BrokenPipeError):
            async with self._turn:
                await self._packets.write(packets)


async def _let_notice(process: Process) -> None:
    """Nobody reads what git writes: it is told so, and ended unless that ends it soon."""
    if process.stdout is not None:
        process.stdout.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_NOTICE_SECONDS):
            await process.exited()
    process.terminate()
