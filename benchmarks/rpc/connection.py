"""An HTTP/2 client that does next to nothing, so that it is quicker than any server.

Requests are bytes made beforehand. Of what comes back only the frame headers are looked at while the clock
runs; header blocks are kept and decoded afterwards.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence

from hpack import Decoder

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4

Frame = tuple[int, int, int, bytes]
"""Type, flags, stream, payload."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER = struct.Struct(">BHBBL")
_SETTING = struct.Struct(">HL")
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW_SIZE = 1, 2, 4
_DEFAULT_WINDOW, _LARGE_WINDOW = 65535, 4 << 20
_UNLIMITED = (1 << 31) - 1 - _DEFAULT_WINDOW
_RECEIVE_BYTES = 1 << 18
_PATIENCE = struct.pack("@ll", 60, 0)  # seconds and microseconds that a read or write may take


class Broken(Exception):
    """The server ended a connection or a stream, or a call failed."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame on the wire."""
    return _HEADER.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def grant(stream: int, size: int) -> bytes:
    """A WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4))


def request(stream: int, block: bytes, message: bytes) -> bytes:
    """The frames of a call with one request message, in the order in which gRPC's core sends them."""
    body = b"\0" + len(message).to_bytes(4) + message
    return (
        frame(HEADERS, END_HEADERS, stream, block)
        + grant(stream, len(body))
        + frame(DATA, END_STREAM, stream, body)
    )


class Connection:
    """One connection to a unix socket; the settings of both sides are known and acknowledged.

    window: bytes that the server may send on each stream before it is granted more; for the whole connection
    it may send what the protocol allows at most, and `grant` on stream 0 gives more.
    """

    def __init__(self, path: str, *, window: int = _LARGE_WINDOW) -> None:
        self.table_size = 4096
        self.blocks: list[bytes] = []
        self.socket = socket.socket(socket.AF_UNIX)
        # Not settimeout, which costs a system call more each time.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option, _PATIENCE)
        self.socket.connect(path)
        self._rest = b""
        self._streams = iter(range(1, 1 << 31, 2))
        self._settled = 0
        settings = _SETTING.pack(_ENABLE_PUSH, 0) + _SETTING.pack(_INITIAL_WINDOW_SIZE, window)
        self.send(_PREFACE + frame(SETTINGS, 0, 0, settings) + grant(0, _UNLIMITED))

    def settle(self) -> None:
        """Waits until each side has the other's settings."""
        while self._settled < 2:
            self.receive()

    def requests(self, count: int, make_block: Callable[[], bytes], message: bytes) -> list[bytes]:
        """The bytes of the next `count` calls."""
        return [request(next(self._streams), make_block(), message) for _ in range(count)]

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> list[Frame]:
        """The frames of streams that have come; waits for something to come.

        What concerns the connection is dealt with. Raises Broken when the server ends a stream or all.
        """
        received = self.socket.recv(_RECEIVE_BYTES)
        if not received:
            raise Broken("connection closed")
        data = self._rest + received if self._rest else received
        at, size = 0, len(data)
        frames: list[Frame] = []
        while size - at >= _HEADER.size:
            high, low, kind, flags, stream = _HEADER.unpack_from(data, at)
            start = at + _HEADER.size
            end = start + (high << 16 | low)
            if end > size:
                break
            at = end
            if kind == DATA:
                frames.append((kind, flags, stream, data[start:end]))
            elif kind == HEADERS:
                self.blocks.append(data[start:end])
                frames.append((kind, flags, stream, b""))
            elif kind != WINDOW_UPDATE:
                self._control(kind, flags, data[start:end])
        self._rest = data[at:]
        return frames

    def verify(self, calls: int) -> None:
        """Looks at all answers so far: raises Broken unless there were `calls`, each of status 0."""
        decoder = Decoder()
        fields = [field for block in self.blocks for field in decoder.decode(block, raw=True)]
        statuses = [value for name, value in fields if name == b"grpc-status"]
        if statuses != [b"0"] * calls:
            raise Broken(f"{len(statuses)} answers to {calls} calls, statuses {sorted(set(statuses))}")

    def close(self) -> None:
        self.socket.close()

    def _control(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == SETTINGS:
            self._settled += 1
            if not flags & ACK:
                self.table_size = dict(_SETTING.iter_unpack(payload)).get(_HEADER_TABLE_SIZE, 4096)
                self.send(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING:
            if not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))
        else:
            raise Broken(f"frame of type {kind}: {payload!r}")


def ended(frames: Sequence[Frame]) -> int:
    """How many of these frames are the last of their stream."""
    return sum(flags & END_STREAM for _, flags, _, _ in frames)
