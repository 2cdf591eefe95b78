"""Whether a file is still the one that was read before.

The rule is git's for its index: a file changed within one step of the file system's clock before it was
read may change again without its time telling, so what was read of it proves nothing later.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

_CLOCK_STEP = 20_000_000
"""Nanoseconds; kernels advance the time of files every 1 to 10 ms."""
_COARSE_STEP = 2_000_000_000
"""The same for file systems that keep whole seconds, or every other one."""
_SECOND = 1_000_000_000


class Stamp(NamedTuple):
    """Identity and version of a file or folder; times in nanoseconds."""

    device: int
    inode: int
    size: int
    mtime: int
    ctime: int

    def settled(self, read_at: int) -> bool:
        """Whether any change after `read_at` (Unix nanoseconds) must give another stamp."""
        changed = max(self.mtime, self.ctime)
        step = _CLOCK_STEP if changed % _SECOND else _COARSE_STEP
        return read_at - changed > step


def stamp(path: str | bytes | int) -> Stamp | None:
    """The stamp of what `path` (or an open file) is now, None when there is nothing."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stamp_of(found)


def is_unchanged(path: str | bytes, version: Stamp | None, *, follow_symlinks: bool = True) -> bool:
    """Whether the stamp of `path` is `version`; False when there is nothing."""
    try:
        found = os.stat(path, follow_symlinks=follow_symlinks)
    except (FileNotFoundError, NotADirectoryError):
        return False
    # Several are compared in every call; to make a Stamp first would cost half as much as the look.
    return version == (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def stamp_of(found: os.stat_result) -> Stamp:
    """The stamp in what was found."""
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def now() -> int:
    """Unix nanoseconds, the clock of `Stamp.settled`."""
    return time.time_ns()
