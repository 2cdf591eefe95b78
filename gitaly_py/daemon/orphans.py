"""What killed workers leave behind: git processes and hooks, which nobody would ever end.

As a subreaper (prctl(2)) the supervisor becomes the parent of processes whose parent has ended.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import psutil
import structlog

_log = structlog.get_logger("gitaly")

_SET_CHILD_SUBREAPER: Final = 36
_GRACE_SECONDS: Final = 1.0
"""For git to remove its lock files."""
_LOOK_EVERY: Final = 0.05


def adopt_orphans() -> None:
    """Makes this process the parent of orphans from here on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        _log.warning("orphans of workers can't be ended", error=os.strerror(ctypes.get_errno()))


async def end_orphans(workers: Callable[[], Collection[int]]) -> None:
    """Ends all children but workers, and theirs, and reaps them. workers: their process ids now."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _GRACE_SECONDS
    told: set[int] = set()
    while orphans := [child for child in psutil.Process().children() if child.pid not in workers()]:
        for orphan in orphans:
            _end(orphan.pid, told, patient=loop.time() < until)
        await asyncio.sleep(_LOOK_EVERY)


def _end(pid: int, told: set[int], *, patient: bool) -> None:
    with suppress(ChildProcessError, ProcessLookupError, PermissionError):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        if pid in told and patient:
            return
        told.add(pid)
        # Its whole group, which is never ours: each git process begins one.
        if os.getpgid(pid) != os.getpgrp():
            os.killpg(os.getpgid(pid), signal.SIGTERM if patient else signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
