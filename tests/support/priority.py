"""Nice values, and what this machine allows."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from typing import TypeVar

T = TypeVar("T")

USUAL = os.getpriority(os.PRIO_PROCESS, 0)


def nice(pid: int = 0) -> int:
    """That of a process, or of this thread."""
    return os.getpriority(os.PRIO_PROCESS, pid)


def in_a_thread(body: Callable[[], T]) -> T:
    """What `body` returns in a thread of its own, which a nice value belongs to."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(body()))
    thread.start()
    thread.join()
    return found[0]


@cache
def first() -> int:
    """That of who comes first on this machine."""

    def raised() -> int:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -15)
        except PermissionError:
            return USUAL
        return -15

    return in_a_thread(raised) if USUAL == 0 else USUAL
