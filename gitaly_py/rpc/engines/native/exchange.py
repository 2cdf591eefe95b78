"""One RPC of a connection: what its handler awaits, and what comes from the client meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from operator import length_hint
from typing import TYPE_CHECKING, Final

from gitaly_py.rpc.exchange import Metadata
from gitaly_py.rpc.http2.messages import MessageError, MessageReader, MessageTooLarge, keep, prefix
from gitaly_py.rpc.http2.replies import RESPONSE
from gitaly_py.rpc.status import Internal, ResourceExhausted, RpcError

if TYPE_CHECKING:
    from gitaly_py.rpc.engines.native.connection import NativeConnection

SEND_AHEAD: Final = 131072
"""Octets of a stream that may wait while its handler makes more: one message of the size that git's
output is cut into, so that the next is ready when the client has taken this one."""

TIMER_SLACK: Final = 0.001
"""Seconds: the loop's timers are that coarse, and a deadline must not fire early."""

FIELD_OCTETS: Final = 64
"""What a field of a call's metadata counts as kept memory: it may be a reference to a table, of a single
octet on the wire."""

_NO_MESSAGES: Iterator[tuple[bytes, int]] = iter(())


class NativeExchange:
    """See Exchange. Data comes in by `feed` and `end`, whether or not the handler waits for a message.

    Data is read as messages no sooner than the handler takes them: compressed ones stay compressed, and
    what a client can make us keep is what its window lets it send.

    deadline: on the loop's clock. task: what the call has become once it waited. begun: something of the
    response was sent. waiting_since: since when the handler waits for the client to read.
    """

    __slots__ = (
        "_connection",
        "_data",
        "_ended",
        "_fault",
        "_held",
        "_messages",
        "_reader",
        "_receiver",
        "_sender",
        "_stored",
        "_timer",
        "begun",
        "cancelled",
        "deadline",
        "metadata",
        "number",
        "peer",
        "task",
        "waiting_since",
    )

    def __init__(
        self,
        connection: NativeConnection,
        number: int,
        metadata: Metadata,
        reader: MessageReader,
        deadline: float | None,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._data: deque[bytes | memoryview] | None = None
        self._messages = _NO_MESSAGES
        self._held = 0  # of the client's window
        self._stored = len(metadata) * FIELD_OCTETS
        connection.buffered += self._stored
        self._ended = False
        self._fault: RpcError | None = None
        self._receiver: asyncio.Future[None] | None = None
        self._sender: asyncio.Future[None] | None = None
        self.number = number
        self.metadata = metadata
        self.peer = connection.peer
        self.deadline = deadline
        self.task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.begun = False
        self.cancelled = False
        self.waiting_since = 0.0

    def time_remaining(self) -> float | None:
        """See Exchange."""
        return None if self.deadline is None else self.deadline - self._connection.loop.time()

    async def receive(self) -> bytes | None:
        """See Exchange."""
        while (message := self._next()) is None:
            if self._ended:
                if self._reader.incomplete:
                    raise Internal("grpc: the request ended within a message: unexpected EOF")
                return None
            if self.cancelled:
                await self._unwanted()
            self._receiver = self._connection.loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        return message

    async def send(self, *parts: bytes) -> None:
        """See Exchange."""
        if self.cancelled:
            await self._unwanted()
        connection = self._connection
        core = connection.core
        if not self.begun:
            self.begun = True
            core.send_headers(self.number, RESPONSE)
        core.send_data(self.number, prefix(sum(map(len, parts))), *parts)
        if core.queued_on(self.number) < SEND_AHEAD:
            connection.flush_soon()
            return
        connection.flush()
        if core.queued_on(self.number) < SEND_AHEAD:
            return
        self._sender = connection.loop.create_future()
        connection.wait_to_send(self)
        try:
            await self._sender
        finally:
            self._sender = None
            connection.no_longer_waits(self)

    # What the connection calls.

    def feed(self, data: bytes | memoryview) -> None:
        """The next part of the request's body."""
        if self._fault is not None or self.cancelled:
            self._connection.core.consumed(self.number, len(data))
            return
        self._held += len(data)
        self._stored += len(data)
        self._connection.buffered += len(data)
        if self._data is None:
            self._data = deque()
        keep(self._data, data)
        self._wake_receiver()

    def end(self) -> None:
        """The client sends no more messages."""
        self._ended = True
        self._wake_receiver()

    def progressed(self) -> None:
        """Lets the handler go on if enough of what it sent is on its way."""
        room = self._connection.core.queued_on(self.number) < SEND_AHEAD
        if room and self._sender is not None and not self._sender.done():
            self._sender.set_result(None)

    def cancel(self) -> None:
        """Nobody waits for the response any more."""
        if not self.cancelled:
            self.cancelled = True
            if self.task is not None:
                self.task.cancel()

    def goes_on(self, task: asyncio.Task[None]) -> None:
        """The call waits for something, and may have to be cancelled meanwhile."""
        self.task = task
        if self.cancelled:
            task.cancel()
        elif self.deadline is not None:
            self._timer = self._connection.loop.call_at(self.deadline + TIMER_SLACK, self.cancel)

    def close(self) -> None:
        """The call is over: what nobody has taken is let go."""
        if self._timer is not None:
            self._timer.cancel()
        self._data = None
        self._messages = _NO_MESSAGES
        self._connection.buffered -= self._stored
        self._stored = 0
        self._let_go(self._held)

    def _next(self) -> bytes | None:
        """The next message of what has come, None when it needs more. Raises RpcError."""
        if self._fault is not None:
            raise self._fault
        try:
            while (found := next(self._messages, None)) is None:
                if not self._data:
                    # The rest of a message larger than the window comes when its beginning is let go.
                    self._let_go(self._held)
                    return None
                data = self._data.popleft()
                if not self._data:
                    # An empty deque takes as much memory as all else of a call that waits.
                    self._data = None
                self._messages = iter(self._reader.feed(data))
        except MessageError as error:
            fault = ResourceExhausted if isinstance(error, MessageTooLarge) else Internal
            self._fault = fault(str(error))
            raise self._fault from error
        message, size = found
        if not length_hint(self._messages, 1):
            # It has given its last message, and would keep that.
            self._messages = _NO_MESSAGES
        self._stored -= size
        self._connection.buffered -= size
        self._let_go(min(size, self._held) if self._data else self._held)
        return message

    async def _unwanted(self) -> None:
        """Ends a handler that goes on after its cancellation, or has not seen it since it never waited."""
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _let_go(self, size: int) -> None:
        """The client may send `size` octets more."""
        if size:
            self._held -= size
            connection = self._connection
            connection.core.consumed(self.number, size)
            if connection.core.pending:
                connection.flush_soon()
