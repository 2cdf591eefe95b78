"""What all outputs have in common: git's two streams, a pack of the cache, and bytes of our own."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from gitaly_py.git.pipes import PipeReader
from gitaly_py.git.process import Process
from gitaly_py.git.splicing import filled
from gitaly_py.git.streams import Tail
from gitaly_py.packs.reader import PackReader
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.errors import TransportError


class Output(ABC):
    """Takes what git writes, one process after the other, and what stands in its place.

    sent: bytes of git's standard output that were given out. broken: why the client took no more.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.broken: TransportError | None = None
        self._tail = Tail()

    @property
    def stderr(self) -> bytes:
        """The last bytes of standard error (see `Tail`); complete after `take`."""
        return self._tail.text

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Gives out `data` as git's standard output."""

    async def conclude(self, data: bytes) -> None:
        """As `write`, for a few last bytes, which may travel with the end."""
        await self.write(data)

    @abstractmethod
    async def send(self, prefix: bytes, pack: PackReader) -> None:
        """Gives out a whole pack behind `prefix` as git's standard output, as it is made."""

    def end_input(self) -> None:  # noqa: B027 - messages stop their client by themselves
        """The answer is known: what the client still sends is thrown away, so that it gets to read."""

    async def complain(self, text: bytes) -> None:
        """Gives out `text` as git's standard error."""
        self._tail.append(text)
        await self._give_stderr(text)

    async def take(self, process: Process) -> None:
        """Gives out what the process writes until it has ended.

        Its standard error is taken, too, if that is a pipe.
        """
        tasks: set[asyncio.Task[Any]] = set()
        pipe = process.stderr_pipe
        errors = spawn(self._take_stderr(process, pipe), name="stderr of git", owner=tasks) if pipe else None
        try:
            await self._take_stdout(process)
            await process.exited()
            if pipe is not None and errors is not None:
                # Its own children may hold the pipe open: what it wrote itself is there by now.
                if not filled(pipe.fd):
                    pipe.close()
                await errors
        finally:
            await end_all(tasks)

    @abstractmethod
    async def _take_stdout(self, process: Process) -> None:
        """Gives out standard output until its end."""

    @abstractmethod
    async def _give_stderr(self, data: bytes) -> None:
        """Gives out a piece of standard error."""

    async def _take_stderr(self, process: Process, pipe: PipeReader) -> None:
        while data := await self._next(process, pipe):
            self._tail.append(data)
            await self._give_stderr(data)

    async def _next(self, process: Process, pipe: PipeReader) -> bytes:
        if process.returncode is None:
            return await pipe.read()
        return pipe.receive_now() or b""
