"""What a session reports to its owner. Not frozen: that makes them four times as dear to create."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class StreamOpened:
    """The peer opened a stream; answer with `Session.accept` or `Session.reset`."""

    stream: int


@dataclass(slots=True)
class DataReceived:
    """Body bytes, a whole frame's or a part's; report them with `Session.consumed` once they are used."""

    stream: int
    data: bytes


@dataclass(slots=True)
class CreditGranted:
    """The peer takes `amount` more bytes."""

    stream: int
    amount: int


@dataclass(slots=True)
class StreamEnded:
    """The peer sends no more on this stream (FIN)."""

    stream: int


@dataclass(slots=True)
class StreamReset:
    """The peer aborted the stream; both directions are gone, and so is what was not read."""

    stream: int


@dataclass(slots=True)
class SessionFailed:
    """The session is over and all its streams with it; flush what is queued and close the connection.

    violation: the peer broke the protocol (False: it closed the connection, or said it would).
    """

    reason: str
    violation: bool


Event = StreamOpened | DataReceived | CreditGranted | StreamEnded | StreamReset | SessionFailed
