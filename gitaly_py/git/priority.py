"""Who comes first when processors are busy: the daemon, then git that makes packs, then the rest of git.

All calls of a worker go through its one thread. Beside git processes of much the same priority it has to give
way to them again and again, until the system's clock ticks (every 4 ms, where HZ is 250). Then calls of a
tenth of a millisecond wait, and so do the git processes whose output nobody reads meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_AHEAD: Final = 15
"""Taken from the nice value of threads that come first."""
_STEP: Final = 5
"""Between the daemon, git that makes packs, and the rest of git, as far as that is allowed."""
_LAST: Final = 19

_USUAL: Final = os.getpriority(os.PRIO_PROCESS, 0)


def come_first() -> None:
    """Puts this thread before other processes, where that is allowed: with CAP_SYS_NICE, or by RLIMIT_NICE.

    Not where an administrator has given the daemon a nice value of its own. Each thread of a process is to
    call it, since one that holds the interpreter's lock holds up all.
    """
    if _USUAL != 0:
        return
    # What is started gets the usual nice value at once. It would keep this thread from lowering it otherwise.
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -_AHEAD)


def companion() -> Callable[[], None] | None:
    """What a thread that this one begins has to call, so that it comes first, too, if this one does."""
    return come_first if os.getpriority(os.PRIO_PROCESS, 0) < _USUAL else None


def put_in_place(pid: int, *, makes_packs: bool) -> None:
    """Gives a git process that was just started its nice value."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    nice = min(own + _STEP, _USUAL) if makes_packs else min(_USUAL + _STEP, _LAST)
    # A service's system calls may be filtered; then it keeps what it has. It may also have ended already.
    with suppress(PermissionError, ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
