"""Answers whose beginning is given out while git still makes the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gitaly_py.services.output.base import Output
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.errors import TransportError


class EarlyOutput:
    """Gives pieces out in a task of its own, so that a client that reads slowly holds up nobody.

    given: bytes taken so far, whether or not they have gone out by now.
    """

    def __init__(self, output: Output, tasks: set[asyncio.Task[Any]]) -> None:
        self.given = 0
        self._output = output
        self._tasks = tasks
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._broken: TransportError | None = None
        self._writing: asyncio.Task[None] | None = None

    def take(self, piece: bytes) -> None:
        """The next piece."""
        self.given += len(piece)
        self._pieces.put_nowait(piece)
        if self._writing is None:
            self._writing = spawn(self._write(), name="early output", owner=self._tasks)

    async def finish(self, rest: Sequence[bytes]) -> None:
        """Gives out what is behind the pieces. Raises TransportError."""
        if self._writing is not None:
            self._pieces.put_nowait(None)
            await self._writing
            if self._broken is not None:
                raise self._broken
        for piece in rest:
            await self._output.write(piece)

    async def _write(self) -> None:
        try:
            while (piece := await self._pieces.get()) is not None:
                await self._output.write(piece)
        except TransportError as error:
            # Whoever finishes is told.
            self._broken = error


@asynccontextmanager
async def early_output(output: Output) -> AsyncIterator[EarlyOutput]:
    """For one answer; what is not given out by the end of the block never is."""
    tasks: set[asyncio.Task[Any]] = set()
    try:
        yield EarlyOutput(output, tasks)
    finally:
        await end_all(tasks)
