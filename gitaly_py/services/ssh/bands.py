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
from gitaly_py.git.wire import sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.services.ssh.output import Output
from gitaly_py.services.ssh.pipes import filled, readable, spliced, widen
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.errors import TransportError
from gitaly_py.transport.sidechannel import Sidechannel

_PIPE_BYTES = 512 * 1024
_BULK_BYTES = 1024 * 1024  # from here on packets get large, not early
_GATHER_SECONDS = 0.001
_NOTICE_SECONDS = 1.0


class Bands(Output):
    """Sends what git writes as packets of band 1 and 2. No flush packet follows: the end is the channel's.

    broken: why the client took no more.
    """

    def __init__(self, channel: Sidechannel) -> None:
        super().__init__()
        self.broken: TransportError | None = None
        self._channel = channel
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: asyncio.Task[None]
        self._packets: PipeWriter

    async def take(self, process: Process) -> None:
        """See Output. When the client takes no more, git is left to end of a broken pipe."""
        ours, packets = os.pipe()
        with closing(PipeReader(ours)) as source, closing(PipeWriter(packets)) as self._packets:
            self._sending = spawn(self._send(source), name="side-band packets", owner=self._tasks)
            try:
                await super().take(process)
                self._packets.close()
                await self._sending
            finally:
                await end_all(self._tasks)

    async def _send(self, source: PipeReader) -> None:
        try:
            await self._channel.send_pipe(source.fd)
        except TransportError as error:
            self.broken = error
        finally:
            source.close()

    async def _take_stdout(self, process: Process) -> None:
        packing = spawn(self._pack(process.stdout_fd), name="stdout of git", owner=self._tasks)
        await asyncio.wait({packing, self._sending}, return_when=asyncio.FIRST_COMPLETED)
        if self._sending.done():
            await end_all({packing})
            await _let_notice(process)
        else:
            await packing

    async def _pack(self, fd: int) -> None:
        large = widen(fd, _PIPE_BYTES)
        moved = 0
        while length := await _arrived(fd):
            # git writes some 8 KiB at a time: a moment later there is more, and fewer packets do.
            if large and moved > _BULK_BYTES and length < sideband.MAX_DATA:
                await asyncio.sleep(_GATHER_SECONDS)
            length = min(filled(fd), sideband.MAX_DATA)
            with suppress(BrokenPipeError):
                async with self._turn:
                    await self._packets.write(sideband.header(Band.DATA, length))
                    await spliced(fd, self._packets.fd, length)
            moved += length

    async def _give_stderr(self, data: bytes) -> None:
        with suppress(BrokenPipeError):
            async with self._turn:
                for packet in sideband.encode(Band.PROGRESS, data):
                    await self._packets.write(packet)


async def _arrived(fd: int) -> int:
    """Bytes in the pipe, of which there are some unless it has ended."""
    if not (length := filled(fd)):
        await readable(fd)
        length = filled(fd)
    return length


async def _let_notice(process: Process) -> None:
    """Nobody reads what git writes: it is told so, and ended unless that ends it soon."""
    if process.stdout is not None:
        process.stdout.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_NOTICE_SECONDS):
            await process.exited()
    process.terminate()
