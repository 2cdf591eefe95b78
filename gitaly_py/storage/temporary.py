"""Temporary areas: `<storage>/+gitaly/tmp`, where nothing outlives the daemon that made it for long.

Each daemon holds a shared lock on `<storage>/+gitaly/tmp.lock` while it runs. One that gets it
exclusively at start is alone, hence whatever is in the area was left by a daemon that is gone. The file
has content until the last daemon stops: one that was killed is known by it.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import structlog

from gitaly_py.storage.durable import make_parents

_log = structlog.get_logger("gitaly")

MAX_AGE_SECONDS = 7 * 24 * 3600
AREA = "+gitaly/tmp"
_LOCK = "+gitaly/tmp.lock"
_IN_USE = b"in use\n"


def area(storage_path: str) -> str:
    """The temporary area of a storage, made when it is not there."""
    path = os.path.join(storage_path, AREA)
    make_parents(path, storage_path)
    return path


@asynccontextmanager
async def temporary_directory(storage_path: str, prefix: str = "repo") -> AsyncIterator[str]:
    """A fresh directory, mode 0700, in the storage's temporary area; removed with the block."""
    path = tempfile.mkdtemp(prefix=prefix, dir=area(storage_path))
    try:
        yield path
    finally:
        await asyncio.to_thread(delete, path)


def quarantine_prefix(relative_path: str) -> str:
    """What the names of a repository's quarantines begin with (repository.md A3)."""
    digest = hashlib.sha1(relative_path.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    return f"quarantine-{digest[:16]}-"


def delete(path: str) -> None:
    """Removes a tree, also where its directories are not writable. What can't be removed is logged."""
    _make_writable(path)
    shutil.rmtree(path, onerror=_report)


def _make_writable(path: str) -> None:
    # What can't be made writable fails to be removed, and is reported then.
    with suppress(OSError):
        os.chmod(path, 0o700)
        with os.scandir(path) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for folder in folders:
            _make_writable(folder)


def _report(_: object, path: str, failure: object) -> None:
    error = failure[1] if isinstance(failure, tuple) else failure
    if not isinstance(error, FileNotFoundError):
        _log.error("failed to remove temporary file", path=path, error=str(error))


class TemporaryAreas:
    """The temporary areas of a daemon's storages; storages may share a path."""

    def __init__(self, storage_paths: Iterable[str]) -> None:
        self._paths = sorted({os.path.realpath(path) for path in storage_paths})
        self._locks: list[int] = []

    def sweep(self) -> list[str]:
        """At start: removes what a killed daemon left, unless another one uses the storage.

        Returns the paths of the storages whose last daemon was killed.
        """
        abandoned = []
        for path in self._paths:
            try:
                if self._sweep_one(path):
                    abandoned.append(path)
            except OSError as error:
                _log.error("failed to clean temporary area", path=path, error=str(error))
        return abandoned

    def clean(self) -> None:
        """Every hour: removes what is older than a week."""
        before = time.time() - MAX_AGE_SECONDS
        for path in self._paths:
            for entry in _entries(os.path.join(path, AREA)):
                with suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        _remove(entry)
        _log.info("finished tempdir cleaner walk")

    def release(self) -> None:
        """At stop: another daemon may take the areas for abandoned."""
        for lock in self._locks:
            # Whoever is the last one to go leaves no mark.
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(lock, 0)
            os.close(lock)
        self._locks.clear()

    def _sweep_one(self, path: str) -> bool:
        folder = area(path)
        lock = os.open(os.path.join(path, _LOCK), os.O_CREAT | os.O_RDWR, 0o600)
        self._locks.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
            return False
        abandoned = os.fstat(lock).st_size > 0
        for entry in _entries(folder):
            _remove(entry)
        os.pwrite(lock, _IN_USE, 0)
        fcntl.flock(lock, fcntl.LOCK_SH)
        return abandoned


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        delete(entry.path)
    else:
        with suppress(FileNotFoundError):
            os.unlink(entry.path)
