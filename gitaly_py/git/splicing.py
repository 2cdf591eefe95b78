"""Descriptors of pipes, for whoever moves their bytes without reading them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from typing import Any, Final

_SPLICE_F_MOVE: Final = 1
_SPLICE_F_NONBLOCK: Final = 2


def filled(fd: int) -> int:
    """Bytes that wait in a pipe; none in one that is closed on our side."""
    if fd < 0:
        return 0
    count: int = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
    return count


def widen(fd: int, size: int) -> bool:
    """Lets a pipe hold `size` bytes; False where the system does not grant it."""
    with contextlib.suppress(OSError):
        return fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size) >= size
    return False


async def readable(fd: int) -> None:
    """Waits until a non-blocking pipe has bytes, or has ended."""
    loop = asyncio.get_running_loop()
    await _called(fd, loop.add_reader, loop.remove_reader)


async def arrived(fd: int) -> int:
    """Bytes in the pipe, of which there are some unless it has ended."""
    if not (length := filled(fd)):
        await readable(fd)
        length = filled(fd)
    return length


async def spliced(source: int, target: int, length: int) -> None:
    """Moves `length` bytes, which must be there, from one pipe to another; both are non-blocking.

    Raises BrokenPipeError once nobody can read them.
    """
    loop = asyncio.get_running_loop()
    while length:
        try:
            length -= os.splice(source, target, length, flags=_SPLICE_F_MOVE | _SPLICE_F_NONBLOCK)
        except BlockingIOError:
            await _called(target, loop.add_writer, loop.remove_writer)


async def _called(fd: int, watch: Callable[..., Any], unwatch: Callable[[int], Any]) -> None:
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watch(fd, _wake, waiter)
    try:
        await waiter
    finally:
        unwatch(fd)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
