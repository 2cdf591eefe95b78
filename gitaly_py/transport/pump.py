"""Moves what a source has into a wire of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from gitaly_py.transport.wire import Wire, writable
from gitaly_py.transport.yamux.sources import Source

TURN_BYTES: Final = 4 * 1024 * 1024  # moved by one call of the kernel at most (transport.md 7.4)


async def pump(source: Source, wire: Wire) -> None:
    """Returns once `source` has nothing more and the wire has taken everything.

    Raises WIRE_ERRORS of the wire, and what the source raises.
    """
    while True:
        length = source.available()
        if length:
            try:
                source.transfer(wire, min(length, TURN_BYTES))
            except BlockingIOError:
                await writable(wire)
            else:
                await asyncio.sleep(0)
        elif source.done:
            return
        else:
            await _filled(source)


async def _filled(source: Source) -> None:
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def arrived() -> None:
        if not waiter.done():
            waiter.set_result(None)

    source.wait(arrived)
    try:
        await waiter
    finally:
        source.wait(None)
