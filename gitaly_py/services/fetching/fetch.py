"""One call that fetches: what it is, and how git is started for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple, Unpack

from gitaly_py.git.commands import Command, Config
from gitaly_py.git.process import Options, Process
from gitaly_py.packs import bitmaps
from gitaly_py.packs.request import PackRequest
from gitaly_py.packs.takeover import Arrival
from gitaly_py.services.app import Call
from gitaly_py.services.output.base import Output
from gitaly_py.services.packing import pack_admission, pack_request
from gitaly_py.services.starting import Transport, started

STATELESS: Final = "--stateless-rpc"
"""One request, one answer, and no advertisement in front."""


class Ending(NamedTuple):
    """How upload-pack has ended, or would have. stderr: its last words."""

    status: int = 0
    stderr: bytes = b""


def ending_of(output: Output, process: Process) -> Ending:
    """How a process whose output was taken has ended."""
    stderr = output.stderr if process.stderr_pipe is not None else process.stderr
    return Ending(process.returncode or 0, stderr)


Input = AsyncGenerator[bytes, None]
"""What a client sends, as it comes."""


@dataclass(frozen=True)
class Fetch:
    """A call that fetches.

    config: of the request, as pairs. environment: says which protocol the client speaks. output: where the
    answer goes.
    """

    call: Call
    transport: Transport
    config: Config
    environment: dict[str, str]
    output: Output

    @property
    def version(self) -> int:
        """Of the protocol: 2, or 0, which stands for 1, too."""
        return 2 if self.environment.get("GIT_PROTOCOL") == "version=2" else 0

    @property
    def generation(self) -> int:
        """Of the repository's objects, as of now."""
        return self.call.app.generations.of(self.call.repository.path)

    def admission(self) -> AbstractAsyncContextManager[object]:
        """What a pack that is made for this call has to pass (transport.md 7.6)."""
        return pack_admission(self.call, self.call.metadata.first("remote_ip"))

    def pack_request(self, arrival: Arrival) -> PackRequest:
        """What the hook of an upload-pack was asked for."""
        return pack_request(self.call, arrival.args, arrival.stdin, self.generation)

    @asynccontextmanager
    async def upload_pack(self, *flags: str, **options: Unpack[Options]) -> AsyncIterator[Process]:
        """`git upload-pack` on the call's repository; `config` and `env` are added to the request's."""
        command = Command(name="upload-pack", flags=flags, args=[self.call.repository.path])
        options["config"] = [
            *self.config,
            ("uploadpack.advertiseBundleURIs", "false"),
            *options.get("config", ()),
        ]
        options["env"] = {**self.environment, **options.get("env", {})}
        if not self.call.app.packs.enabled:
            # Else whoever makes the pack reports.
            bitmaps.report(self.call.repository.git)
        async with started(self.call, self.transport, command, **options) as process:
            yield process
