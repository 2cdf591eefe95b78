"""Fields as the programs that git starts send them: a length, and so many bytes (hooks/program/hook.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from gitaly_py.hooks.program.hook import LENGTH_SIZE


class FieldTooLong(Exception):
    """A field of `length` bytes, which no program of ours sends."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a field of {length} bytes")
        self.length = length


async def read_field(reader: asyncio.StreamReader, limit: int) -> bytes:
    """The next field. limit: bytes. Raises FieldTooLong, IncompleteReadError, ConnectionError."""
    length = int.from_bytes(await reader.readexactly(LENGTH_SIZE), "big")
    if length > limit:
        raise FieldTooLong(length)
    return await reader.readexactly(length)


async def read_fields(reader: asyncio.StreamReader, limit: int) -> AsyncIterator[bytes]:
    """The fields up to an empty one. Raises as `read_field`."""
    while data := await read_field(reader, limit):
        yield data
