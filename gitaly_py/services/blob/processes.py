"""Blobs by way of two git processes: one tells which, the other gives their sizes or contents.

Between them is a pipe of the system where every line of the first is an id and nothing else; otherwise
a task of ours chooses what goes from one to the other.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    aclosing,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from typing import Any

from gitaly_py.git.commands import Command
from gitaly_py.git.process import PIPE, Process, Stderr
from gitaly_py.git.streams import Pipe
from gitaly_py.git.wire.batch import BatchContents, BatchSizes, Part, Sizes
from gitaly_py.services.app import Call
from gitaly_py.telemetry.tasks import end_all, spawn

Processes = tuple[Process, Process]
"""The one that tells which blobs, and the one whose output is taken apart."""

Choose = Callable[[list[bytes]], Sequence[bytes]]

_READ = 128 << 10
"""Bytes of output taken apart at a stretch: for one to three milliseconds."""


@dataclass(frozen=True)
class Source:
    """The process that tells which blobs.

    check: waits for it and raises unless it has ended well. stdin: its input. choose: from its lines to the
    ids of blobs; None when each line is one. sized: its lines are those of `cat-file --batch-check`.
    """

    command: Command
    check: Callable[[Process], Awaitable[None]]
    stdin: bytes = b""
    choose: Choose | None = None
    sized: bool = False


async def sizes(call: Call, source: Source, count: int = 0) -> AsyncGenerator[Sizes]:
    """The blobs in the order of `source`.

    count: the most blobs, 0 for all. Raises MissingObject, CommandFailed, and what `source.check` raises.
    """
    left = count or sys.maxsize
    parser = BatchSizes()
    async with aclosing(_output(call, source, "--batch-check")) as chunks:
        async for chunk in chunks:
            found = parser.feed(chunk)
            yield Sizes(found.oids[:left], found.sizes[:left])
            left -= len(found.oids)
            if left <= 0:
                return


async def contents(call: Call, source: Source, limit: int, count: int = 0) -> AsyncGenerator[list[Part]]:
    """The same with the first `limit` bytes of each blob, all if negative; not for a limit of 0."""
    parser = BatchContents(limit)
    first = _First(count)
    async with aclosing(_output(call, source, "--batch")) as chunks:
        async for chunk in chunks:
            yield first.of(parser.feed(chunk))
            if first.full and not parser.within:
                return


async def _output(call: Call, source: Source, mode: str) -> AsyncGenerator[bytes]:
    """What `git cat-file` prints of the blobs. mode: its flag."""
    alone = source.sized and mode == "--batch-check"
    processes = _alone if alone else _linked if source.choose is None else _fed
    async with processes(call, source, mode) as (lister, reader):
        async with aclosing(reader.chunks(_READ)) as chunks:
            async for chunk in chunks:
                yield chunk
        await reader.check()
        await source.check(lister)


class _First:
    """Keeps the parts of the first `count` blobs, of all if that is 0. full: no other blob will be kept."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._counts = count > 0
        self._over = False

    @property
    def full(self) -> bool:
        return self._counts and self._left == 0

    def of(self, parts: list[Part]) -> list[Part]:
        if not self._counts:
            return parts
        kept: list[Part] = []
        for part in parts:
            if part[0]:
                self._over = self._left == 0
                self._left -= not self._over
            if self._over:
                break
            kept.append(part)
        return kept


@asynccontextmanager
async def _alone(call: Call, source: Source, mode: str) -> AsyncIterator[Processes]:
    """The process of `source` in both roles: it says all that is asked for."""
    async with _started(call, source, stdout=PIPE) as lister:
        yield lister, lister


@asynccontextmanager
async def _linked(call: Call, source: Source, mode: str) -> AsyncIterator[Processes]:
    """The output of `source` is the input of the other."""
    async with AsyncExitStack() as stack:
        with ExitStack() as ends:
            reading, writing = os.pipe()
            ends.callback(os.close, reading)
            ends.callback(os.close, writing)
            lister = await stack.enter_async_context(_started(call, source, stdout=writing))
            reader = await stack.enter_async_context(_reader(call, mode, reading))
        yield lister, reader


@asynccontextmanager
async def _fed(call: Call, source: Source, mode: str) -> AsyncIterator[Processes]:
    """What is chosen of the output of `source` is the input of the other."""
    tasks: set[asyncio.Task[Any]] = set()
    async with _started(call, source, stdout=PIPE) as lister, _reader(call, mode, PIPE) as reader:
        spawn(_feed(lister, reader, source.choose), name="ids for git", owner=tasks)
        try:
            yield lister, reader
        finally:
            await end_all(tasks)


def _started(call: Call, source: Source, *, stdout: int | Pipe) -> AbstractAsyncContextManager[Process]:
    return call.app.git.start(
        call.repository.git, source.command, stdin=source.stdin, stdout=stdout, stderr=Stderr.KEEP
    )


def _reader(call: Call, mode: str, stdin: int | Pipe) -> AbstractAsyncContextManager[Process]:
    command = Command(name="cat-file", flags=[mode, "--buffer"])
    return call.app.git.start(call.repository.git, command, stdin=stdin)


async def _feed(lister: Process, reader: Process, choose: Choose | None) -> None:
    """Gives the ids of the chosen lines to `reader`; its end of input is that of `lister`'s output."""
    stdin = reader.stdin
    assert stdin is not None
    assert choose is not None
    try:
        # Whoever reads what it writes learns that it has gone, and why.
        with suppress(BrokenPipeError):
            async with aclosing(lister.batches(b"\n")) as batches:
                async for lines in batches:
                    chosen = choose(lines)
                    if chosen:
                        await stdin.write(b"\n".join(chosen) + b"\n")
    finally:
        stdin.close()
