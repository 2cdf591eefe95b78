"""Objects as streams of messages whose first one has more fields than the others (repository.md A8)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeAlias, TypeVar

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.pb.blob_pb2 import GetBlobResponse, GetBlobsResponse
from gitaly_py.pb.commit_pb2 import TreeEntryResponse
from gitaly_py.rpc.packer import STREAM_BYTES

Content: TypeAlias = bytes | memoryview

MessageT = TypeVar("MessageT", TreeEntryResponse, GetBlobResponse, GetBlobsResponse)


async def small_content(reader: Reader, oid: str, limit: int = -1) -> bytes:
    """The content of an object that one message holds; limit as for `with_content`. Raises ObjectNotFound."""
    found = await reader.read(oid.encode())
    if found is None:
        raise ObjectNotFound(oid)
    return found.data if limit < 0 else found.data[:limit]


async def with_content(
    message: MessageT, reader: Reader, oid: str, limit: int = -1
) -> AsyncGenerator[MessageT | Content, None]:
    """`message`, its field `data` filled with the first piece of the object, then the other pieces.

    limit: the most bytes to send, all if negative. Raises ObjectNotFound.
    """
    async with aclosing(reader.content(oid, limit)) as pieces:
        first = memoryview(await anext(pieces, b""))
        message.data = bytes(first[:STREAM_BYTES])
        yield message
        yield first[STREAM_BYTES:]
        async for piece in pieces:
            yield piece
