"""Starting a process, which must not hold up the event loop.

A start takes 0.2 ms, but many times that while all processors are busy: it ends when the new process has
begun its program, and that has to be given a processor first. subprocess, and os.posix_spawn, keep other
threads from running meanwhile. The C library's posix_spawn(3), called through ctypes, does not.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from gitaly_py.git.priority import companion, put_in_place

_SLOW: Final = 0.001
"""Seconds of a start from which on the next ones are left to a thread."""
_QUICK: Final = 0.0005
"""Seconds of a start in a thread that make the next one need none: the way there and back takes as long."""

_STRUCT_BYTES: Final = 512  # more than any of the C library's structures takes
_SETPGROUP: Final = 0x02
_SETSIGDEF: Final = 0x04
_FIRST_OTHER: Final = 3
_THREADS: Final = 4

_libc: Final = ctypes.CDLL(None)


class Program(NamedTuple):
    """What is to run: its command line, with an absolute path, and its environment.

    descriptors: of standard input, output and error. cwd: its folder, None for the daemon's. makes_packs:
    it comes before other git processes.
    """

    line: Sequence[bytes]
    environment: Mapping[bytes, bytes]
    descriptors: tuple[int, int, int]
    cwd: str | None = None
    makes_packs: bool = False


class Spawner:
    """Starts processes, each in a process group of its own; in a thread as long as starts take long."""

    def __init__(self) -> None:
        self._is_slow = False
        self._threads: ThreadPoolExecutor | None = None

    async def start(self, program: Program) -> int:
        """The id of the new process, which is the caller's to reap. Raises OSError."""
        if not self._is_slow:
            pid, seconds = _timed(program)
            self._is_slow = seconds > _SLOW
            return pid
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "start of processes", companion())
        started = asyncio.get_running_loop().run_in_executor(self._threads, _timed, program)
        try:
            pid, seconds = await asyncio.shield(started)
        except asyncio.CancelledError:
            await _undone(started)
            raise
        self._is_slow = seconds > _QUICK
        return pid

    def close(self) -> None:
        """Ends the threads."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)


async def _undone(started: asyncio.Future[tuple[int, float]]) -> None:
    """Ends a process that nobody waits for any more; not before it has taken the caller's descriptors."""
    while not started.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({started})
    if started.exception() is None:
        pid, _ = started.result()
        await discard(pid)


async def discard(pid: int) -> None:
    """Ends a process that was just started, and reaps it, even if the caller is cancelled."""
    os.kill(pid, signal.SIGKILL)
    await asyncio.shield(asyncio.to_thread(os.waitpid, pid, 0))


def _timed(program: Program) -> tuple[int, float]:
    begun = time.monotonic()
    pid = spawn(program)
    put_in_place(pid, makes_packs=program.makes_packs)
    return pid, time.monotonic() - begun


def spawn(program: Program) -> int:
    """Starts a process; see `Spawner.start`."""
    with _actions(program) as actions, _attributes() as attributes:
        variables = [name + b"=" + value for name, value in program.environment.items()]
        pid = ctypes.c_int()
        line = _strings(program.line)
        _checked(
            _libc.posix_spawn(
                ctypes.byref(pid), program.line[0], actions, attributes, line, _strings(variables)
            )
        )
    return pid.value


@contextmanager
def _actions(program: Program) -> Iterator[Any]:
    """What the new process does before its program: it takes its descriptors, and closes all others."""
    actions = ctypes.create_string_buffer(_STRUCT_BYTES)
    copies: list[int] = []
    _checked(_libc.posix_spawn_file_actions_init(actions))
    try:
        for number, descriptor in enumerate(program.descriptors):
            given = descriptor
            if descriptor < _FIRST_OTHER:
                # It would be replaced before it is copied.
                given = os.dup(descriptor)
                copies.append(given)
            _checked(_libc.posix_spawn_file_actions_adddup2(actions, given, number))
        if program.cwd is not None:
            _checked(_libc.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(program.cwd)))
        _checked(_libc.posix_spawn_file_actions_addclosefrom_np(actions, _FIRST_OTHER))
        yield actions
    finally:
        _libc.posix_spawn_file_actions_destroy(actions)
        for copy in copies:
            os.close(copy)


@contextmanager
def _attributes() -> Iterator[Any]:
    """A group of its own, and the usual reaction to signals that Python ignores."""
    attributes = ctypes.create_string_buffer(_STRUCT_BYTES)
    signals = ctypes.create_string_buffer(_STRUCT_BYTES)
    _checked(_libc.posix_spawnattr_init(attributes))
    try:
        _libc.sigemptyset(signals)
        for each in (signal.SIGPIPE, signal.SIGXFSZ):
            _libc.sigaddset(signals, int(each))
        _checked(_libc.posix_spawnattr_setsigdefault(attributes, signals))
        _checked(_libc.posix_spawnattr_setpgroup(attributes, 0))
        _checked(_libc.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETPGROUP | _SETSIGDEF)))
        yield attributes
    finally:
        _libc.posix_spawnattr_destroy(attributes)


def _strings(values: Sequence[bytes]) -> Any:
    """Values as C has them: an array of pointers that ends with a null."""
    if any(b"\0" in value for value in values):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(values) + 1))(*values, None)


def _checked(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error))
