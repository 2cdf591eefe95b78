"""Output in response messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from gitaly_py.git.process import Process
from gitaly_py.packs.reader import PackReader
from gitaly_py.pb.shared_pb2 import ExitStatus
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackResponse
from gitaly_py.pb.ssh_pb2 import SSHReceivePackResponse, SSHUploadArchiveResponse, SSHUploadPackResponse
from gitaly_py.services.output.base import Output
from gitaly_py.telemetry.tasks import end_all, spawn

MessageT = TypeVar(
    "MessageT",
    PostUploadPackResponse,
    SSHReceivePackResponse,
    SSHUploadArchiveResponse,
    SSHUploadPackResponse,
)

_MESSAGE_BYTES = 128 * 1024
_MESSAGES_AHEAD = 2


class Messages(Output, Generic[MessageT]):
    """Makes response messages of what git writes, a few ahead of the client.

    stdout: the field of standard output. Responses without a field `stderr` leave standard error out.
    """

    def __init__(self, response: type[MessageT], *, stdout: str = "stdout") -> None:
        super().__init__()
        self._response: Callable[..., MessageT] = response
        self._stdout = stdout
        self._has_stderr = "stderr" in response.DESCRIPTOR.fields_by_name
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
        spawn(self._finish(work), name="work for messages", owner=tasks)
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

    async def write(self, data: bytes) -> None:
        """See Output."""
        for begin in range(0, len(data), _MESSAGE_BYTES):
            await self._put_stdout(data[begin : begin + _MESSAGE_BYTES])

    async def send(self, prefix: bytes, pack: PackReader) -> None:
        """See Output."""
        await self.write(prefix)
        while data := await pack.read(_MESSAGE_BYTES):
            await self._put_stdout(data)

    async def _take_stdout(self, process: Process) -> None:
        while data := await process.read(_MESSAGE_BYTES):
            await self._put_stdout(data)

    async def _put_stdout(self, data: bytes) -> None:
        await self._put(self._response(**{self._stdout: data}))
        self.sent += len(data)

    async def _give_stderr(self, data: bytes) -> None:
        if self._has_stderr:
            await self._put(self._response(stderr=data))
