"""Output on a side channel as it is: what git writes, the client reads."""

from __future__ import annotations

from typing import Final

from gitaly_py.git.process import Process
from gitaly_py.packs.reader import PackReader
from gitaly_py.rpc.status import during
from gitaly_py.services.output.base import Output
from gitaly_py.transport.sidechannel import Sidechannel
from gitaly_py.transport.yamux.sources import PrefixedSource

_COPYING: Final = during("copying stdout from upload-pack")


class Plain(Output):
    """Standard output of upload-pack only; nobody but the log sees standard error."""

    def __init__(self, channel: Sidechannel) -> None:
        super().__init__()
        self._channel = channel

    def end_input(self) -> None:
        """See Output."""
        self._channel.discard_input()

    async def write(self, data: bytes) -> None:
        """See Output."""
        with _COPYING:
            await self._channel.write(data)
        self.sent += len(data)

    async def conclude(self, data: bytes) -> None:
        """See Output."""
        with _COPYING:
            await self._channel.write_soon(data)
        self.sent += len(data)

    async def send(self, prefix: bytes, pack: PackReader) -> None:
        """See Output."""
        with _COPYING:
            await self._channel.send_source(PrefixedSource(prefix, pack))
        self.sent += len(prefix) + pack.sent

    async def _take_stdout(self, process: Process) -> None:
        with _COPYING:
            self.sent += await self._channel.send_pipe(process.stdout_fd)

    async def _give_stderr(self, data: bytes) -> None:
        """It has no place on the channel."""
