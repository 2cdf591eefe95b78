"""SearchFilesByContent: lines that match, with their surroundings (repository.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from gitaly_py.git.commands import Command
from gitaly_py.git.wire.grep import MatchSplitter
from gitaly_py.pb.repository_pb2 import SearchFilesByContentRequest, SearchFilesByContentResponse
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.services.app import Call
from gitaly_py.services.repository.searching import CHECKS
from gitaly_py.services.repository.service import service

_CONTEXT_LINES = "2"
_END = SearchFilesByContentResponse(end_of_match=True)

_READ_BYTES = 16 * 1024
"""Output that is taken at a time: small matches are two messages each, and other calls wait for them."""


@service.rpc(*CHECKS)
async def search_files_by_content(
    call: Call, request: SearchFilesByContentRequest
) -> AsyncIterator[SearchFilesByContentResponse]:
    """What `git grep` finds: the pieces of each match, then a message that ends it.

    Lines whose contexts touch are one match. How git ends is not told: with an unknown revision or a pattern
    that is none it finds nothing.
    """
    command = Command(
        name="grep",
        flags=[
            "--ignore-case",
            "-I",
            "--line-number",
            "--null",
            ("--before-context", _CONTEXT_LINES),
            ("--after-context", _CONTEXT_LINES),
            "--perl-regexp",
            ("-e", request.query),
        ],
        args=[request.ref],
        paths=(),
    )
    matches = MatchSplitter(STREAM_BYTES)
    async with call.app.git.start(call.repository.git, command) as process:
        async for data in process.chunks(_READ_BYTES):
            for piece in matches.feed(data):
                yield _END if piece is None else SearchFilesByContentResponse(match_data=piece)
        for piece in matches.end():
            yield _END if piece is None else SearchFilesByContentResponse(match_data=piece)
        await process.wait()
