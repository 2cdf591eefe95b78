"""Steps that must not be left half done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(function: Callable[..., T], *args: object) -> T:
    """Runs `function` in a thread, and returns no earlier than it does, cancelled or not.

    Otherwise the clean-up of a cancelled caller would run beside the function.
    """
    run = copy_context().run
    running = asyncio.get_running_loop().run_in_executor(None, lambda: run(function, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        # The caller's cancellation stands for whatever came of it.
        running.exception()
        raise


async def from_thread(pieces: Generator[bytes, None, None], size: int) -> AsyncGenerator[bytes, None]:
    """What a generator yields, which runs in a thread; `size` bytes or a little more at a time."""
    try:
        while data := await to_the_end(_gathered, pieces, size):
            yield data
    finally:
        pieces.close()


def _gathered(pieces: Generator[bytes, None, None], size: int) -> bytes:
    gathered: list[bytes] = []
    missing = size
    while missing > 0 and (piece := next(pieces, None)) is not None:
        gathered.append(piece)
        missing -= len(piece)
    return b"".join(gathered)
