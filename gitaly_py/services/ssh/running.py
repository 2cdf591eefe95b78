"""Runs git for a call: its streams, a limit for the negotiation, and how it ended (transport.md 4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gitaly_py.config.duration import Duration
from gitaly_py.git.errors import describe_status
from gitaly_py.git.process import Process
from gitaly_py.git.wire import pktline
from gitaly_py.git.wire.errors import MalformedPacket
from gitaly_py.git.wire.goquote import quote
from gitaly_py.git.wire.pktline import Kind
from gitaly_py.rpc.status import Cancelled, DeadlineExceeded, Internal
from gitaly_py.services.fetching.fetch import Ending, Input, ending_of
from gitaly_py.services.output.base import Output
from gitaly_py.services.transfer import Observer, fed

_HUNG_UP = b"fatal: the remote end hung up unexpectedly\n"

_QUOTED_BYTES = 2000
"""Of standard error in a status: all clients take so much, which becomes at most four times as long."""


class GitFailed(Internal):
    """git has ended with `status` (negative: the signal's number)."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class HungUp(Cancelled):
    """git has ended with `status` since the client broke off."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


async def run(
    process: Process, source: Input, output: Output, *observers: Observer, drain: float = 0.0
) -> None:
    """Gives git its input and takes its output until it has ended, whether or not the input has.

    drain: seconds to wait for a client that still sends. Raises the RpcError of a request message that could
    not be taken.
    """
    async with fed(process, source, *observers) as feeding:
        await output.take(process)
        if drain:
            await feeding.drained(drain)


DONE = (Kind.DATA, b"done\n")
FLUSH = (Kind.FLUSH, b"")


@dataclass(frozen=True)
class NegotiationLimit:
    """The packet that ends a client's negotiation, and how long that may take.

    Access was decided when the call began, so a client must not put off what it asks for.
    """

    end: tuple[Kind, bytes]
    limit: Duration

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Observer]:
        """Gives what must see the client's data within the block. Raises DeadlineExceeded."""
        try:
            async with asyncio.timeout(self.limit.seconds) as timeout:
                yield _Watch(self.end, timeout).receive
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise DeadlineExceeded("waiting for negotiation: context canceled") from error

    async def run(self, process: Process, source: Input, output: Output) -> None:
        """As `run`, then judges how git has ended. Raises DeadlineExceeded, HungUp, GitFailed."""
        async with self.watching() as watch:
            await run(process, source, output, watch)
        judge(ending_of(output, process), "user canceled the request", quoted=True)


def judge(ending: Ending, hung_up: str, *, quoted: bool = False) -> None:
    """Raises HungUp or GitFailed unless git, which has ended, did well.

    hung_up: the text when nothing but the client's end is to blame. quoted: git's last words are told.
    """
    if not ending.status:
        return
    if ending.stderr == _HUNG_UP:
        raise HungUp(hung_up, ending.status)
    said = f", stderr: {quote(ending.stderr[-_QUOTED_BYTES:])}" if quoted else ""
    raise GitFailed(f"cmd wait: {describe_status(ending.status)}{said}", ending.status)


class _Watch:
    """Lifts a timeout when a packet passes by, and when what passes by is no packet."""

    def __init__(self, end: tuple[Kind, bytes], timeout: asyncio.Timeout) -> None:
        self._end = end
        self._timeout = timeout
        self._decoder = pktline.Decoder()
        self._over = False

    def receive(self, data: bytes) -> None:
        """Takes the next bytes."""
        if self._over:
            return
        try:
            self._over = any(packet[:2] == self._end for packet in self._decoder.receive(data))
        except MalformedPacket:
            self._over = True
        if self._over and not self._timeout.expired():
            self._timeout.reschedule(None)
