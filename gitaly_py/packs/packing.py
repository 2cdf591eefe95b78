"""What `git pack-objects` writes, as side-band packets (transport.md 7.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from gitaly_py.git.pipes import PipeReader
from gitaly_py.git.process import Process
from gitaly_py.git.splicing import arrived, filled, widen
from gitaly_py.git.streams import Tail
from gitaly_py.git.wire import sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.packs.flow import Flow
from gitaly_py.telemetry.tasks import end_all, spawn

PIPE_BYTES: Final = 1 << 20
BULK_BYTES: Final = 1 << 20  # from here on packets get large, not early
FEW_BYTES: Final = 262144  # less than this of bulk is left to grow for a while
REST: Final = 0.002  # seconds of that; git writes some 8 KiB at a time


class Packer:
    """Puts standard output into packets of band 1 and standard error into packets of band 2.

    keep_alive: seconds of silence after which an empty packet is written.
    """

    def __init__(self, flow: Flow, keep_alive: float) -> None:
        self._flow = flow
        self._keep_alive = keep_alive
        self._tail = Tail()
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._spoke = self._loop.time()

    @property
    def stderr(self) -> bytes:
        """The last bytes of standard error (see `Tail`)."""
        return self._tail.text

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Writes packets of no data while the block is silent, so that clients don't give up."""
        tasks: set[asyncio.Task[Any]] = set()
        spawn(self._break_silence(), name="keep-alive of a pack", owner=tasks)
        try:
            yield
        finally:
            await end_all(tasks)

    async def take(self, process: Process) -> int:
        """Takes what the process writes until it has ended; returns its status, as of `Process.wait`."""
        tasks: set[asyncio.Task[Any]] = set()
        pipe = process.stderr_pipe
        if pipe is None:
            raise ValueError("the process was started without a pipe to its standard error")
        errors = spawn(self._take_stderr(process, pipe), name="stderr of pack-objects", owner=tasks)
        try:
            await self._take_stdout(process.stdout_fd)
            status = await process.exited()
            # Its own children may hold the pipe open: what it wrote itself is there by now.
            if not filled(pipe.fd):
                pipe.close()
            await errors
        finally:
            await end_all(tasks)
        return status

    async def _take_stdout(self, fd: int) -> None:
        large = widen(fd, PIPE_BYTES)
        taken = 0
        while length := await arrived(fd):
            # A smaller pipe would be full before the rest is over, and git would stand still.
            if large and taken >= BULK_BYTES and length < FEW_BYTES:
                await asyncio.sleep(REST)
            async with self._turn:
                taken += await self._flow.pack(fd)
            self._spoke = self._loop.time()
            # However fast git and the disk are, others get their turn.
            await asyncio.sleep(0)

    async def _take_stderr(self, process: Process, pipe: PipeReader) -> None:
        while data := await _next(process, pipe):
            self._tail.append(data)
            async with self._turn:
                for packet in sideband.encode(Band.PROGRESS, data):
                    await self._flow.write(packet)
            self._spoke = self._loop.time()

    async def _break_silence(self) -> None:
        while True:
            await asyncio.sleep(self._spoke + self._keep_alive - self._loop.time())
            # Who writes, or waits until it may, is not silent: the client is behind.
            if self._turn.locked():
                self._spoke = self._loop.time()
            elif self._loop.time() >= self._spoke + self._keep_alive:
                async with self._turn:
                    await self._flow.write(sideband.KEEP_ALIVE)
                self._spoke = self._loop.time()


async def _next(process: Process, pipe: PipeReader) -> bytes:
    if process.returncode is None:
        return await pipe.read()
    return pipe.receive_now() or b""
