"""The gRPC calls of one load connection: HTTP/2 without I/O, for unary calls with short answers."""

from __future__ import annotations

from collections.abc import Iterator

from hpack import Decoder, Encoder

from benchmarks.packs.requests import Request
from benchmarks.rpc import connection as http2
from gitaly_py.transport.sidechannel import METADATA_KEY

PREFACE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + http2.frame(http2.SETTINGS, 0, 0, b"")
    + http2.grant(0, (1 << 31) - 1 - 65535)
)
_HEADER_BYTES = 9
_CANCEL = (8).to_bytes(4)


class Broken(Exception):
    """The server ended a connection or a call, or said something it must not say."""


class Calls:
    """Calls are known by the numbers of their HTTP/2 streams."""

    def __init__(self) -> None:
        self._numbers = iter(range(1, 1 << 31, 2))
        self._encoder = Encoder()
        self._blocks: list[tuple[int, bytes]] = []
        self._cancelled: set[int] = set()
        self._data = b""

    def request(self, request: Request, sidechannel: int) -> tuple[int, bytes]:
        """A new call's number, and the bytes that make it. sidechannel: the id it names."""
        number = next(self._numbers)
        block = self._encoder.encode(_fields(request.path, sidechannel), huffman=False)
        return number, http2.request(number, block, request.message)

    def cancel(self, number: int) -> bytes:
        """The bytes that end a call before its time; how the server ends it does not matter any more."""
        self._cancelled.add(number)
        return http2.frame(http2.RST_STREAM, 0, number, _CANCEL)

    def receive(self, data: bytes) -> tuple[list[int], bytes]:
        """The numbers of the calls that have ended, and what must be sent now. Raises Broken."""
        self._data += data
        ended, answer = [], b""
        for kind, flags, number, payload in self._frames():
            if kind in {http2.SETTINGS, http2.PING}:
                if not flags & http2.ACK:
                    echo = payload if kind == http2.PING else b""
                    answer += http2.frame(kind, http2.ACK, 0, echo)
            elif kind in {http2.RST_STREAM, http2.GOAWAY} and number not in self._cancelled:
                raise Broken(f"HTTP/2 frame of type {kind}: {payload!r}")
            elif kind in {http2.HEADERS, http2.DATA}:
                if kind == http2.HEADERS:
                    self._blocks.append((number, payload))
                if flags & http2.END_STREAM:
                    ended.append(number)
        return ended, answer

    def verify(self) -> None:
        """Raises Broken unless every answer so far says that its call succeeded."""
        decoder = Decoder()
        for number, block in self._blocks:
            fields = dict(decoder.decode(block, raw=True))
            if fields.get(b"grpc-status", b"0") != b"0" and number not in self._cancelled:
                raise Broken(f"status {fields[b'grpc-status']!r}: {fields.get(b'grpc-message', b'')!r}")

    def _frames(self) -> Iterator[http2.Frame]:
        data, at = self._data, 0
        while len(data) - at >= _HEADER_BYTES:
            start = at + _HEADER_BYTES
            end = start + int.from_bytes(data[at : at + 3])
            if end > len(data):
                break
            yield data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : start]), data[start:end]
            at = end
        self._data = data[at:]


def _fields(path: str, sidechannel: int) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "gitaly"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "grpc-go/1.76.0"),
        ("x-gitlab-client-name", "gitlab-workhorse"),
        (METADATA_KEY, str(sidechannel)),
    ]
