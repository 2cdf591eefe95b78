"""GetInfoAttributes: the attributes file of the default branch (repository.md)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.git.reading.interface import ObjectInfo
from gitaly_py.pb.repository_pb2 import GetInfoAttributesRequest, GetInfoAttributesResponse
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service

_FILE = b"HEAD:.gitattributes"


@service.rpc()
async def get_info_attributes(
    call: Call, request: GetInfoAttributesRequest
) -> AsyncIterator[GetInfoAttributesResponse]:
    """The content of `.gitattributes` in HEAD's tree; one empty message where there is none of it.

    What is no file there is printed as `git cat-file -p` does.
    """
    found = await call.repository.reader().info(_FILE)
    empty = True
    if found is not None:
        content = _file(call, found) if found.type == "blob" else _printed(call, found)
        async with aclosing(content) as pieces:
            async for piece in pieces:
                for begin in range(0, len(piece), STREAM_BYTES):
                    empty = False
                    yield GetInfoAttributesResponse(attributes=piece[begin : begin + STREAM_BYTES])
    if empty:
        yield GetInfoAttributesResponse()


def _file(call: Call, found: ObjectInfo) -> AsyncGenerator[bytes]:
    return call.repository.reader().content(found.oid)


async def _printed(call: Call, found: ObjectInfo) -> AsyncGenerator[bytes]:
    command = Command(name="cat-file", flags=["-p"], args=[found.oid])
    async with call.app.git.start(call.repository.git, command) as process:
        async for piece in process.pieces(STREAM_BYTES):
            yield piece
        await process.check()
