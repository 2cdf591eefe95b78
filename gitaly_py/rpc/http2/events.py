"""What a connection tells its driver. `stream` is the number of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from gitaly_py.rpc.exchange import Value
from gitaly_py.rpc.http2.errors import ErrorCode


@dataclass(slots=True)
class RequestReceived:
    """A stream began. ended: the client sends nothing further on it."""

    stream: int
    fields: dict[str, Value]
    ended: bool


@dataclass(slots=True)
class RequestTooLarge:
    """A stream began whose header list is larger than we announced; its fields are lost."""

    stream: int
    ended: bool


@dataclass(slots=True)
class DataReceived:
    """Part of a request's body. Give its octets back with `Connection.consumed`."""

    stream: int
    data: bytes | memoryview
    ended: bool


@dataclass(slots=True)
class RequestEnded:
    """The client sends nothing further on a stream (trailers came, or an empty end)."""

    stream: int


@dataclass(slots=True)
class StreamEnded:
    """A stream is over before its response was complete: the client reset it, or broke its rules.

    code: of the RST_STREAM, which the client sent or, when `ours`, is sent.
    """

    stream: int
    code: int
    ours: bool


@dataclass(slots=True)
class PingAnswered:
    """The answer to a ping of ours."""

    opaque: bytes


@dataclass(slots=True)
class ConnectionFailed:
    """The client broke a rule: the GOAWAY is queued, whatever else it sends is ignored."""

    code: ErrorCode
    reason: str


Event = (
    RequestReceived
    | RequestTooLarge
    | DataReceived
    | RequestEnded
    | StreamEnded
    | PingAnswered
    | ConnectionFailed
)
