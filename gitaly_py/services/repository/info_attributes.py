"""GetInfoAttributes: the attributes file of the default branch (repository.md)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import structlog

from gitaly_py.git.commands import Command
from gitaly_py.git.reading.errors import ReadingError
from gitaly_py.pb.repository_pb2 import GetInfoAttributesRequest, GetInfoAttributesResponse
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service

_FILE = b"HEAD:.gitattributes"

_log = structlog.get_logger("gitaly")


@service.rpc()
async def get_info_attributes(
    call: Call, request: GetInfoAttributesRequest
) -> AsyncIterator[GetInfoAttributesResponse]:
    """The content of `.gitattributes` in HEAD's tree; one empty message where there is none of it.

    What is no file there is printed as `git cat-file -p` does. That something can't be read is logged, and
    not told.
    """
    empty = True
    try:
        async with aclosing(_content(call)) as pieces:
            async for piece in pieces:
                for begin in range(0, len(piece), STREAM_BYTES):
                    empty = False
                    yield GetInfoAttributesResponse(attributes=piece[begin : begin + STREAM_BYTES])
    except ReadingError as error:
        _log.warning("attributes not read", error=str(error))
    if empty:
        yield GetInfoAttributesResponse()


async def _content(call: Call) -> AsyncGenerator[bytes]:
    reader = call.repository.reader()
    found = await reader.info(_FILE)
    if found is None:
        return
    if found.type == "blob":
        async with aclosing(reader.content(found.oid)) as pieces:
            async for piece in pieces:
                yield piece
        return
    command = Command(name="cat-file", flags=["-p"], args=[found.oid])
    async with call.app.git.start(call.repository.git, command) as process:
        async for piece in process.chunks(STREAM_BYTES):
            yield piece
        await process.wait()
