"""The states of a stream (RFC 9113 5.1); idle and reserved streams are not kept."""

from __future__ import annotations

from collections import deque
from enum import IntEnum, auto
from typing import Final

from gitaly_py.rpc.http2.frames import MAX_WINDOW

Buffer = bytes | memoryview

REMEMBERED_RESETS: Final = 1000
NO_END: Final = MAX_WINDOW + 1
"""Above every stream's number."""


class State(IntEnum):
    OPEN = auto()
    HALF_CLOSED_REMOTE = auto()
    HALF_CLOSED_LOCAL = auto()
    CLOSED = auto()


class Change(IntEnum):
    RECEIVED_END = auto()
    SENT_END = auto()
    RESET = auto()


TRANSITIONS: Final = {
    (State.OPEN, Change.RECEIVED_END): State.HALF_CLOSED_REMOTE,
    (State.OPEN, Change.SENT_END): State.HALF_CLOSED_LOCAL,
    (State.OPEN, Change.RESET): State.CLOSED,
    (State.HALF_CLOSED_REMOTE, Change.SENT_END): State.CLOSED,
    (State.HALF_CLOSED_REMOTE, Change.RESET): State.CLOSED,
    (State.HALF_CLOSED_LOCAL, Change.RECEIVED_END): State.CLOSED,
    (State.HALF_CLOSED_LOCAL, Change.RESET): State.CLOSED,
}

RECEIVING: Final = frozenset((State.OPEN, State.HALF_CLOSED_LOCAL))
SENDING: Final = frozenset((State.OPEN, State.HALF_CLOSED_REMOTE))


class Stream:
    """One stream of a connection.

    credit: octets the client may still send. unreturned: octets consumed, and not yet returned as credit.
    expected: octets of the body that are still to come, where the client announced them.
    window: octets we may send. queue: what is to be sent, `queued` octets, None before the first;
    trailers: the header block behind it, once it is known. opened: when it began, in seconds of the
    connection's clock.
    """

    __slots__ = (
        "credit",
        "expected",
        "number",
        "opened",
        "queue",
        "queued",
        "ready",
        "state",
        "trailers",
        "unreturned",
        "window",
    )

    def __init__(self, number: int, credit: int, window: int, opened: float) -> None:
        self.number = number
        self.opened = opened
        self.state = State.OPEN
        self.credit = credit
        self.unreturned = 0
        self.expected: int | None = None
        self.window = window
        # An empty deque takes as much memory as all else of a call that waits.
        self.queue: deque[Buffer] | None = None
        self.queued = 0
        self.trailers: bytes | None = None
        self.ready = False


class Streams:
    """The streams of a connection that have not ended, by number.

    last: the highest number a client has used. served_until: no stream above it is served.
    """

    def __init__(self) -> None:
        self.open: dict[int, Stream] = {}
        self.last = 0
        self.served_until = NO_END
        self._reset: dict[int, None] = {}

    def receiving(self, number: int) -> Stream | None:
        """The stream, if the client may still send on it."""
        stream = self.open.get(number)
        return stream if stream is not None and stream.state in RECEIVING else None

    def sending(self, number: int) -> Stream | None:
        """The stream, if we may still send on it."""
        stream = self.open.get(number)
        return stream if stream is not None and stream.state in SENDING else None

    def change(self, stream: Stream, change: Change) -> None:
        """Forgets a stream that ends with it."""
        stream.state = TRANSITIONS[stream.state, change]
        if stream.state is State.CLOSED:
            del self.open[stream.number]

    def reset(self, number: int) -> None:
        """We have reset a stream: what the client sent before it knew is no fault of it."""
        self._reset[number] = None
        if len(self._reset) > REMEMBERED_RESETS:
            del self._reset[next(iter(self._reset))]

    def ignores(self, number: int) -> bool:
        """We have reset it not long ago, or said that we do not serve it."""
        return number in self._reset or number > self.served_until

    def is_idle(self, number: int) -> bool:
        """No frame of it can have come before its HEADERS."""
        return number > self.last or not number & 1
