"""A gRPC client on a real connection, whose every frame is the test's own: it reads only when asked to."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from struct import pack
from typing import Self
from urllib.parse import unquote_to_bytes

from google.protobuf.message import Message
from grpc import StatusCode
from hpack import Decoder

from tests.support.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    REQUEST,
    RST_STREAM,
    SETTINGS,
    SETTINGS_ACK,
    Fields,
    Frame,
    block,
    data,
    decoded,
    settings,
    window_update,
)

SECONDS = 30
"""What takes longer hangs."""

Request = Message | bytes
LARGE_WINDOW = {4: 2**31 - 1}

_CODES = {code.value[0]: code for code in StatusCode}


def message(content: Request, *, flag: int = 0) -> bytes:
    """A message as it travels; flag: 1 says that it is compressed."""
    octets = content if isinstance(content, bytes) else content.SerializeToString()
    return pack(">BI", flag, len(octets)) + octets


def messages_in(octets: bytes | bytearray) -> list[bytes]:
    """The messages of a response's body, which ends with the last of them."""
    found, start = [], 0
    while start < len(octets):
        assert octets[start] == 0
        stop = start + 5 + int.from_bytes(octets[start + 1 : start + 5])
        assert len(octets) >= stop
        found.append(bytes(octets[start + 5 : stop]))
        start = stop
    return found


def request_fields(path: str, *further: tuple[str, str], **changed: str | None) -> list[tuple[str, str]]:
    """The fields of a gRPC request. changed: by name, `_` for `-`, `method` for `:method`; None for none."""
    values = dict(REQUEST) | {":path": path}
    for name, value in changed.items():
        plain = name.replace("_", "-")
        key = f":{plain}" if f":{plain}" in values else plain
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
    return [*values.items(), *further]


@dataclass
class Reply:
    """What came on one stream. head: the first block, or nothing when the trailers are all there is.

    reset: the code of the RST_STREAM that came, if any. ended: no more will come.
    """

    head: dict[str, str] = field(default_factory=dict)
    body: bytes | bytearray = field(default_factory=bytearray)
    trailers: dict[str, str] = field(default_factory=dict)
    reset: int | None = None
    ended: bool = False

    @property
    def messages(self) -> list[bytes]:
        """The messages, which are all complete."""
        return messages_in(self.body)

    @property
    def count(self) -> int:
        """How many messages have begun."""
        start = count = 0
        while start < len(self.body):
            start += 5 + int.from_bytes(self.body[start + 1 : start + 5])
            count += 1
        return count

    @property
    def code(self) -> StatusCode:
        """The status."""
        return _CODES[int(self.trailers["grpc-status"])]

    @property
    def text(self) -> str:
        """The status' message."""
        return unquote_to_bytes(self.trailers.get("grpc-message", "")).decode()

    def take(self, frame: Frame) -> None:
        """The next frame of the stream."""
        if frame.kind == HEADERS:
            assert frame.flags & END_HEADERS
            fields = {str(name): str(value) for name, value in Decoder().decode(frame.payload)}
            if frame.flags & END_STREAM:
                self.trailers = fields
            else:
                self.head = fields
        elif frame.kind == DATA:
            self.body += frame.payload
        elif frame.kind == RST_STREAM:
            self.reset = int.from_bytes(frame.payload)
        self.ended = self.ended or frame.kind == RST_STREAM or bool(frame.flags & END_STREAM)


class Client:
    """Frames out and in. Nothing is read, answered or given back that the test does not ask for.

    seen: every frame that was read. replies: of each stream, as far as it was read.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen: list[Frame] = []
        self.replies: dict[int, Reply] = {}
        self.ended = False
        self._reader = reader
        self._writer = writer
        self._next = 1
        self._settings = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Vanishes."""
        self._writer.transport.abort()

    def greet(self, values: dict[int, int] | None = None, *, ack: bool = True) -> None:
        """Sends the preface, settings, and the acknowledgement of the server's."""
        self._settings += 1
        self.send(PREFACE, settings(values or {}), *([SETTINGS_ACK] if ack else []))

    def send(self, *frames: Frame | bytes) -> None:
        """Sends frames, or any octets, at once."""
        self._writer.write(b"".join(each if isinstance(each, bytes) else each.octets for each in frames))

    async def flush(self) -> None:
        """Waits until the connection has taken nearly everything."""
        await self._writer.drain()

    def frames_of(
        self, path: str, *requests: Request, end: bool = True, fields: Fields | None = None
    ) -> tuple[int, list[Frame]]:
        """The frames of a new call, and the number of its stream."""
        number, self._next = self._next, self._next + 2
        head = block(fields if fields is not None else request_fields(path))
        body = [data(number, message(each)) for each in requests]
        if end and body:
            body[-1] = body[-1]._replace(flags=END_STREAM)
        flags = END_HEADERS | (END_STREAM if end and not body else 0)
        return number, [Frame(HEADERS, flags, number, head), *body]

    def open(self, path: str, *requests: Request, end: bool = True, fields: Fields | None = None) -> int:
        """Begins a call and sends messages; the number of its stream."""
        number, frames = self.frames_of(path, *requests, end=end, fields=fields)
        self.send(*frames)
        return number

    def say(self, number: int, *requests: Request, end: bool = False) -> None:
        """Sends further messages of a call. end: there are no more."""
        frames = [data(number, message(each)) for each in requests] or [data(number)]
        if end:
            frames[-1] = frames[-1]._replace(flags=END_STREAM)
        self.send(*frames)

    async def call(self, path: str, *requests: Request, fields: Fields | None = None) -> Reply:
        """A whole call."""
        return await self.reply(self.open(path, *requests, fields=fields))

    async def read(self) -> Frame | None:
        """The next frame; None when the server has ended."""
        async with asyncio.timeout(SECONDS):
            try:
                header = await self._reader.readexactly(9)
                frame = decoded(header[:9] + await self._reader.readexactly(int.from_bytes(header[:3])))[0]
            except (asyncio.IncompleteReadError, ConnectionError):
                self.ended = True
                return None
        self.seen.append(frame)
        if frame.stream:
            self.replies.setdefault(frame.stream, Reply()).take(frame)
        return frame

    async def until(self, kind: int, stream: int = 0, *, flags: int = 0) -> Frame:
        """Reads up to a frame."""
        while (frame := await self.read()) is not None:
            if (frame.kind, frame.stream) == (kind, stream) and frame.flags & flags == flags:
                return frame
        raise AssertionError(f"the connection ended: {self.seen[-5:]}")

    async def reply(self, stream: int, *, credit: bool = True) -> Reply:
        """Reads until a stream ends. credit: gives back the windows of what comes, on every stream."""
        while not self.replies.setdefault(stream, Reply()).ended:
            frame = await self.read()
            assert frame is not None, f"the connection ended: {self.seen[-5:]}"
            if credit and frame.kind == DATA and frame.payload:
                self.send(*(window_update(number, len(frame.payload)) for number in (0, frame.stream)))
        return self.replies[stream]

    async def messages(self, stream: int, count: int) -> list[bytes]:
        """Reads until so many messages have come on a stream whole, of which no part of another has."""
        reply = self.replies.setdefault(stream, Reply())
        while reply.count < count:
            assert await self.read() is not None, f"the connection ended: {self.seen[-5:]}"
        return reply.messages

    async def synchronized(self) -> None:
        """Reads until the server has acted on everything that was sent."""
        self._settings += 1
        self.send(settings())
        while sum(frame.kind == SETTINGS and frame.flags & ACK for frame in self.seen) < self._settings:
            await self.until(SETTINGS, flags=ACK)

    async def read_all(self) -> list[Frame]:
        """Reads until the server ends the connection; what came."""
        while await self.read() is not None:
            pass
        return self.seen

    async def goaway(self) -> tuple[int, int, str]:
        """Reads until the server ends the connection: last stream, code and text of its last GOAWAY."""
        last = [frame for frame in await self.read_all() if frame.kind == GOAWAY][-1].payload
        return int.from_bytes(last[:4]), int.from_bytes(last[4:8]), last[8:].decode()
