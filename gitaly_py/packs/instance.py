"""Who uses a cache folder: several daemons, or workers of one, may share it.

Each holds a lock on a file of its own, `<instance>.lock`, while it lives. One that can be locked by another
is that of an instance that was killed.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import suppress
from typing import Final, Self

ID: Final = r"[0-9a-f]{20}"

_SUFFIX = ".lock"
_LOCK_FILE = re.compile(ID + re.escape(_SUFFIX))
_ATTEMPTS = 8


class Instance:
    """A lock that is held. id: what names of the instance's files begin with."""

    def __init__(self, path: str, fd: int) -> None:
        self.id = os.path.basename(path).removesuffix(_SUFFIX)
        self._path = path
        self._fd = fd

    @classmethod
    def new(cls, folder: str) -> Self:
        """A new instance that uses `folder`. Raises OSError."""
        for _ in range(_ATTEMPTS):
            path = os.path.join(folder, secrets.token_hex(10) + _SUFFIX)
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            # Until it was locked, another instance could take it for that of a dead one.
            if _locked(path, fd):
                return cls(path, fd)
        raise FileExistsError(folder)

    @classmethod
    def of_dead(cls, folder: str) -> list[Self]:
        """The instances that were killed, as if they were ours: `release` them when their files are gone."""
        with os.scandir(folder) as entries:
            paths = [entry.path for entry in entries if _LOCK_FILE.fullmatch(entry.name)]
        found = []
        for path in paths:
            # Gone by now, or not ours to open.
            with suppress(OSError):
                fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
                if _locked(path, fd):
                    found.append(cls(path, fd))
        return found

    def touch(self) -> None:
        """Says that it lives to cleaners that only look at the age of a file."""
        with suppress(FileNotFoundError):
            os.utime(self._path)

    def release(self) -> None:
        """Has no files any more."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(self._fd)


def _locked(path: str, fd: int) -> bool:
    """Locks the file if nobody has, and if it is still there; otherwise closes it."""
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.stat(path), os.fstat(fd)):
            return True
    os.close(fd)
    return False
