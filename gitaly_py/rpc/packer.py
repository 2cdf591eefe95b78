"""Packs what a streaming handler yields into response messages (repository.md A8).

Items are encoded once, straight into the bytes of the message that will carry them: a protobuf
message is the concatenation of its fields, so a chunk needs no message object of its own.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from gitaly_py.rpc.service import Rpc
from gitaly_py.telemetry.turns import turn

CHUNK_BYTES = 1024 * 1024
"""Items are collected while their encoded sizes sum to less than this."""

STREAM_BYTES = 128 * 1024
"""The most that one message of a byte stream carries."""

_PART_BYTES = 4096
"""Parts that are larger on average are sent as they are, smaller ones are put together."""

_LARGE_BYTES = 256 * 1024
"""To put together and to send this much takes a piece of work of its own."""

_TURN_SECONDS = 0.0005
_LONG_AGO = 0.0
_ITEMS_A_LOOK = 8


class First:
    """Fields that belong into the first message of the stream, if there is any."""

    __slots__ = ("fields",)

    def __init__(self, **fields: Any) -> None:
        self.fields = fields


class Last:
    """Fields that belong into the last message of the stream, together with its last items."""

    __slots__ = ("fields",)

    def __init__(self, **fields: Any) -> None:
        self.fields = fields


class Encoded:
    """Items encoded by the handler: whole fields of the response, tag and length included."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class EncodedMessage:
    """A response message of its own, encoded by the handler."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def varint(value: int) -> bytes:
    """`value` in protobuf's base-128 encoding."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field_prefixes(number: int, sizes: int = 2048) -> Callable[[int], bytes]:
    """A function from the length of a length-delimited field to its tag and length bytes."""
    tag = varint(number << 3 | 2)
    table = [tag + varint(size) for size in range(sizes)]

    def prefix(size: int) -> bytes:
        return table[size] if size < sizes else tag + varint(size)

    return prefix


class Packer:
    """Sends what a handler yields, in as few messages as the rules allow."""

    def __init__(self, rpc: Rpc, send: Callable[..., Awaitable[None]]) -> None:
        """send: takes the parts of one message, which must not change afterwards."""
        self._rpc = rpc
        self._response = rpc.method.response
        self._send = send
        self._pending: list[bytes] = []
        self._size = 0
        self._looked = 0
        self._turn = time.monotonic()
        self._prefix = None if rpc.items is None else _prefix_of(rpc, rpc.items)

    async def put(self, item: Any) -> None:
        """Takes one thing that the handler yielded."""
        if isinstance(item, self._response):
            await self._put_message(item.SerializeToString())
        elif isinstance(item, EncodedMessage):
            await self._put_message(item.data)
        elif isinstance(item, bytes | bytearray | memoryview):
            await self._put_bytes(item)
        elif isinstance(item, Message):
            await self._add([item])
        elif isinstance(item, list):
            await self._add(item)
        elif isinstance(item, Encoded):
            await self._put_encoded(item.data)
        elif isinstance(item, First | Last):
            self._pending.append(self._response(**item.fields).SerializeToString())
        else:
            raise TypeError(f"{self._rpc.method}: a handler does not yield {type(item).__name__}")

    async def _put_message(self, encoded: bytes) -> None:
        if self._pending:
            await self.flush()
        await self._send(encoded)
        await self._let_others_run()

    async def flush(self) -> None:
        """Sends what is pending."""
        if self._pending:
            large = self._size > _LARGE_BYTES
            if large:
                await turn()
            pending, self._pending = self._pending, []
            few = len(pending) * _PART_BYTES <= self._size
            self._size = 0
            await self._send(*pending if few else (b"".join(pending),))
            # It may have waited for the client, and what woke it then was no turn.
            self._turn = _LONG_AGO if large else time.monotonic()

    async def _add(self, items: Sequence[Message | bytes]) -> None:
        prefix = self._prefix
        if prefix is None:
            raise TypeError(f"{self._rpc.method}: the response has no single repeated field to take items")
        for item in items:
            encoded = item.SerializeToString() if isinstance(item, Message) else item
            size = len(encoded)
            if self._size and self._size + size >= CHUNK_BYTES:
                await self.flush()
            self._pending += (prefix(size), encoded)
            self._size += size
            self._looked += 1
            if self._looked >= _ITEMS_A_LOOK:
                self._looked = 0
                await self._let_others_run()

    async def _put_encoded(self, data: bytes) -> None:
        if self._size and self._size + len(data) >= CHUNK_BYTES:
            await self.flush()
        self._pending.append(data)
        self._size += len(data)
        await self._let_others_run()

    async def _put_bytes(self, data: bytes | bytearray | memoryview) -> None:
        if self._prefix is None:
            await self.flush()
            for start in range(0, len(data), STREAM_BYTES):
                piece = bytes(data[start : start + STREAM_BYTES])
                await self._send(_prefix_of(self._rpc, "data")(len(piece)), piece)
        else:
            await self._add([bytes(data)])

    async def _let_others_run(self) -> None:
        """Gives the event loop a turn when packing has held it for long, however quick the source is."""
        now = time.monotonic()
        if now - self._turn > _TURN_SECONDS:
            await turn()
            self._turn = time.monotonic()


def _prefix_of(rpc: Rpc, field: str) -> Callable[[int], bytes]:
    number = rpc.method.response.DESCRIPTOR.fields_by_name[field].number
    found = _PREFIXES.get(number)
    if found is None:
        found = _PREFIXES[number] = field_prefixes(number)
    return found


_PREFIXES: dict[int, Callable[[int], bytes]] = {}
