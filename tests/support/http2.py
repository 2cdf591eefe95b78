"""A client of the HTTP/2 core: it writes frames of any shape, and reads what the core says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack, unpack
from typing import Any, NamedTuple

from hpack import Decoder, Encoder

from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import ConnectionFailed, Event
from gitaly_py.rpc.http2.limits import Limits

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65535

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
TYPES = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
]

ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6

Fields = Sequence[tuple[str, str]]
REQUEST: Fields = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/gitaly.RefService/FindBranch"),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)


class Frame(NamedTuple):
    """One frame, of which nothing need be right."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def __repr__(self) -> str:
        name = TYPES[self.kind] if self.kind < len(TYPES) else f"type {self.kind}"
        return (
            f"<{name} stream={self.stream} flags={self.flags:#x} {len(self.payload)}: {self.payload[:40]!r}>"
        )

    @property
    def octets(self) -> bytes:
        """As it travels."""
        return (
            pack(">I", len(self.payload))[1:]
            + bytes((self.kind, self.flags))
            + pack(">I", self.stream)
            + self.payload
        )


def decoded(octets: bytes) -> list[Frame]:
    """The frames that `octets` are, the last of which is complete."""
    frames = []
    while octets:
        length = int.from_bytes(octets[:3])
        kind, flags = octets[3:5]
        (stream,) = unpack(">I", octets[5:9])
        assert len(octets) >= 9 + length
        frames.append(Frame(kind, flags, stream, octets[9 : 9 + length]))
        octets = octets[9 + length :]
    return frames


def block(fields: Fields, *, huffman: bool = True) -> bytes:
    """A header block that neither needs nor disturbs what is in a dynamic table."""
    return Encoder().encode([(name, value, True) for name, value in fields], huffman=huffman)


def fields_of(block: bytes) -> list[tuple[str, str]]:
    """The fields of a header block that is the first of its connection, or refers to none before."""
    decoder = Decoder()
    return [(str(name), str(value)) for name, value in decoder.decode(block)]


def padded(payload: bytes, padding: int) -> bytes:
    """A payload as a frame with the PADDED flag has it."""
    return bytes((padding,)) + payload + bytes(padding)


def headers(stream: int, fields: Fields = REQUEST, *, end: bool = False, flags: int = END_HEADERS) -> Frame:
    """A HEADERS frame with a block of `fields`."""
    return Frame(HEADERS, flags | (END_STREAM if end else 0), stream, block(fields))


def continuation(stream: int, part: bytes, *, end: bool = False) -> Frame:
    """More of a header block; end: the last of it."""
    return Frame(CONTINUATION, END_HEADERS if end else 0, stream, part)


def data(stream: int, payload: bytes = b"", *, end: bool = False) -> Frame:
    """A DATA frame."""
    return Frame(DATA, END_STREAM if end else 0, stream, payload)


def priority(stream: int) -> Frame:
    """A PRIORITY frame."""
    return Frame(PRIORITY, 0, stream, bytes(5))


def rst_stream(stream: int, code: int = ErrorCode.CANCEL) -> Frame:
    """A RST_STREAM frame."""
    return Frame(RST_STREAM, 0, stream, pack(">I", code))


def settings(values: dict[int, int] | Iterable[tuple[int, int]] = ()) -> Frame:
    """A SETTINGS frame."""
    pairs = values.items() if isinstance(values, dict) else values
    return Frame(SETTINGS, 0, 0, b"".join(pack(">HI", *pair) for pair in pairs))


SETTINGS_ACK = Frame(SETTINGS, ACK, 0, b"")


def ping(opaque: bytes = b"12345678", *, ack: bool = False) -> Frame:
    """A PING frame."""
    return Frame(PING, ACK if ack else 0, 0, opaque)


def goaway(last_stream: int, code: int = ErrorCode.NO_ERROR, text: bytes = b"") -> Frame:
    """A GOAWAY frame."""
    return Frame(GOAWAY, 0, 0, pack(">II", last_stream, code) + text)


def window_update(stream: int, credit: int) -> Frame:
    """A WINDOW_UPDATE frame."""
    return Frame(WINDOW_UPDATE, 0, stream, pack(">I", credit))


class Client:
    """Speaks to a connection of its own, whose clock stands still until `now` is changed.

    raw: neither preface nor settings have been exchanged. settings: of the client.
    """

    def __init__(
        self, limits: Limits | None = None, *, raw: bool = False, settings: dict[int, int] | None = None
    ) -> None:
        self.now = 1000.0
        self.core = Connection(limits, clock=lambda: self.now)
        if not raw:
            assert self.send(PREFACE, _settings(settings or {}), SETTINGS_ACK) == []
            self.said()

    def send(self, *frames: Frame | bytes) -> list[Event]:
        """What the connection makes of frames, or of any octets, that come at once."""
        return self.core.receive(
            b"".join(each if isinstance(each, bytes) else each.octets for each in frames)
        )

    def said(self, limit: int = 1 << 30) -> list[Frame]:
        """What the connection has sent since the last time."""
        return decoded(b"".join(bytes(each) for each in self.core.take(limit)))

    def open(self, *streams: int, end: bool = False) -> None:
        """Begins requests."""
        for stream in streams:
            (event,) = self.send(headers(stream, end=end))
            assert type(event).__name__ == "RequestReceived"

    def fault(self, *frames: Frame | bytes) -> tuple[ErrorCode, str]:
        """Sends frames of which the last is a fault of the connection, and says which."""
        event = self.send(*frames)[-1]
        assert isinstance(event, ConnectionFailed), event
        return event.code, event.reason


_settings = settings


def sizes(frames: Iterable[Frame]) -> list[tuple[int, int]]:
    """Stream and length of each DATA frame."""
    return [(frame.stream, len(frame.payload)) for frame in frames if frame.kind == DATA]


def resets(frames: Iterable[Frame]) -> list[tuple[int, int]]:
    """Stream and code of each RST_STREAM frame."""
    return [(frame.stream, int.from_bytes(frame.payload)) for frame in frames if frame.kind == RST_STREAM]


def credit_of(frames: Iterable[Frame], stream: int) -> int:
    """What WINDOW_UPDATE frames give to a stream, or to the connection when it is 0."""
    return sum(
        int.from_bytes(frame.payload) for frame in frames if frame[0] == WINDOW_UPDATE and frame[2] == stream
    )


def any_of(kind: type[Any], events: Iterable[Event]) -> list[Any]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]
