"""Where the two output streams of git go: into response messages, or elsewhere (see `bands`)."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from gitaly_py.git.pipes import PipeReader
from gitaly_py.git.process import Process
from gitaly_py.git.streams import Tail
from gitaly_py.pb.shared_pb2 import ExitStatus
from gitaly_py.pb.ssh_pb2 import SSHReceivePackResponse, SSHUploadArchiveResponse, SSHUploadPackResponse
from gitaly_py.services.ssh.pipes import filled
from gitaly_py.telemetry.tasks import end_all, spawn

MessageT = TypeVar("MessageT", SSHReceivePackResponse, SSHUploadArchiveResponse, SSHUploadPackResponse)

_MESSAGE_BYTES = 128 * 1024
_MESSAGES_AHEAD = 2


class Output(ABC):
    """Takes what a process writes, and remembers the end of its standard error."""

    def __init__(self) -> None:
        self._tail = Tail()

    @property
    def stderr(self) -> bytes:
        """The last bytes of standard error (see `Tail`); complete after `take`."""
        return self._tail.text

    async def take(self, process: Process) -> None:
        """Gives out what the process writes until it has ended. It must have pipes for both streams."""
        pipe = process.stderr_pipe
        if pipe is None:
            raise ValueError("the process was started without a pipe to its standard error")
        tasks: set[asyncio.Task[Any]] = set()
        errors = spawn(self._take_stderr(process, pipe), name="stderr of git", owner=tasks)
        try:
            await self._take_stdout(process)
            await process.exited()
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


class Messages(Output, Generic[MessageT]):
    """Makes response messages of what git writes, a few ahead of the client."""

    def __init__(self, response: type[MessageT]) -> None:
        super().__init__()
        self._response: Callable[..., MessageT] = response
        self._made: asyncio.Queue[MessageT | Exception | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_MESSAGES_AHEAD)

    async def exit(self, status: int) -> None:
        """Sends an exit status; a signal's is what a shell makes of it."""
        value = ExitStatus(value=status if status >= 0 else 128 - status)
        await self._put(self._response(exit_status=value))

    async def sent_by(self, work: Callable[[], Awaitable[None]]) -> AsyncGenerator[MessageT, None]:
        """The messages that `work` makes with this output. Raises its error behind the last of them.

        The work is a task of its own: a time limit in there can't hit whoever sends the messages. It ends
        with this generator.
        """
        tasks: set[asyncio.Task[Any]] = set()
        spawn(self._finish(work), name="git over SSH", owner=tasks)
        try:
            while (made := await self._made.get()) is not None:
                if isinstance(made, Exception):
                    raise made
                yield made
                self._room.release()
        finally:
            await end_all(tasks)

    async def _finish(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - not ours to judge: it is raised where messages are sent
            self._made.put_nowait(error)
        else:
            self._made.put_nowait(None)

    async def _put(self, message: MessageT) -> None:
        await self._room.acquire()
        self._made.put_nowait(message)

    async def _take_stdout(self, process: Process) -> None:
        while data := await process.read(_MESSAGE_BYTES):
            await self._put(self._response(stdout=data))

    async def _give_stderr(self, data: bytes) -> None:
        await self._put(self._response(stderr=data))
