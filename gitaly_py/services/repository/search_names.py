"""SearchFilesByName: the paths of a tree, filtered (repository.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.pb.repository_pb2 import SearchFilesByNameRequest, SearchFilesByNameResponse
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.regexp.errors import InvalidExpression
from gitaly_py.services.regexp.matching import Expression
from gitaly_py.services.repository.searching import CHECKS
from gitaly_py.services.repository.service import service

_LONGEST_FILTER = 1000
"""Bytes."""

_PORTION = 1024
"""Paths that are matched at a time: about 2 ms."""


def _short(text: str) -> None:
    if len(text.encode()) > _LONGEST_FILTER:
        raise InvalidArgument("filter exceeds maximum length")


@service.rpc(*CHECKS, FieldCheck("filter", _short))
async def search_files_by_name(
    call: Call, request: SearchFilesByNameRequest
) -> AsyncIterator[SearchFilesByNameResponse]:
    """One message with the paths at and below `query` that the filter matches, in git's order.

    offset: how many of them to leave out; limit: how many to give, all if 0. How git ends is not told: with
    an unknown revision it finds nothing.
    """
    expression = _expression(request.filter)
    response = SearchFilesByNameResponse()
    begin = request.offset
    async with aclosing(_paths(call, request)) as batches:
        async for paths in batches:
            found = paths if expression is None else await _matching(expression, paths)
            end = begin + request.limit - len(response.files) if request.limit else None
            response.files.extend(found[begin:end])
            begin = max(0, begin - len(found))
            if request.limit and len(response.files) == request.limit:
                break
    yield response


async def _paths(call: Call, request: SearchFilesByNameRequest) -> AsyncGenerator[list[bytes]]:
    command = Command(
        name="ls-tree",
        flags=["--full-tree", "--name-status", "-r", "-z"],
        args=[request.ref],
        paths=[request.query.encode()],
    )
    async with call.app.git.start(call.repository.git, command) as process:
        async for paths in process.batches(b"\0"):
            yield paths
        await process.wait()


def _expression(text: str) -> Expression | None:
    if not text:
        return None
    try:
        return Expression(text)
    except InvalidExpression as error:
        raise InvalidArgument(f"filter did not compile: {error}") from error


async def _matching(expression: Expression, paths: list[bytes]) -> list[bytes]:
    if expression.is_literal:
        return expression.matching(paths)
    found: list[bytes] = []
    for begin in range(0, len(paths), _PORTION):
        # In a thread, since an expression can be made to take long.
        found += await asyncio.to_thread(expression.matching, paths[begin : begin + _PORTION])
    return found
