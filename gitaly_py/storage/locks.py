"""Locks of repository paths: `<path>.lock`, which whoever made it removes (repository.md A10)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gitaly_py.storage.errors import AlreadyLocked


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Holds `<path>.lock` while the block runs. Raises AlreadyLocked; nobody waits for a lock."""
    lock = f"{path}.lock"
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise AlreadyLocked(lock) from None
    try:
        yield
    finally:
        # Whoever removed it by hand wanted it gone.
        with suppress(FileNotFoundError):
            os.unlink(lock)
