"""The folder in which packs are kept (transport.md 7.5)."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog

from gitaly_py.packs.instance import Instance
from gitaly_py.packs.packfile import PackFile
from gitaly_py.packs.sweeping import sweep
from gitaly_py.storage.durable import make_parents
from gitaly_py.storage.threads import to_the_end
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import spawn

_log = structlog.get_logger("gitaly")

_FLAGS: Final = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
_MODE: Final = 0o400


class Folder:
    """Makes the files of packs, and removes them.

    The name of a file is `<low byte of its number>/<instance>-<number>`; none is used again. Files are
    removed and closed in threads: either frees what may be gigabytes.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._numbers = itertools.count()
        self._instance: Instance | None = None
        self._failing = False
        self._files: set[PackFile] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def claim(self) -> Instance:
        """Makes the folder and says that it is in use, unless that was done. Raises OSError."""
        if self._instance is None:
            make_parents(self.path, "/")
            self._instance = Instance.new(self.path)
        return self._instance

    def create(self) -> PackFile:
        """A new file. Raises OSError."""
        instance = self.claim()
        number = next(self._numbers)
        path = f"{self.path}/{number & 0xFF:02x}/{instance.id}-{number}"
        try:
            fd = os.open(path, _FLAGS, _MODE)
        except FileNotFoundError:
            make_parents(os.path.dirname(path), "/")
            fd = os.open(path, _FLAGS, _MODE)
        file = PackFile(path, fd, self._dispose)
        self._files.add(file)
        return file

    def foreign(self, path: str, fd: int) -> PackFile:
        """A file that another worker writes, and will remove. fd: open for reading."""
        return PackFile(path, fd, self._dispose)

    def discard(self, file: PackFile) -> None:
        """Removes a file; those who read it are not disturbed."""
        if not file.discarded:
            file.discarded = True
            if file in self._files:
                self._files.remove(file)
                self._aside(self._unlink, file.path)

    def failed(self, error: OSError) -> None:
        """The folder is of no use just now. Logged once, until it `works` again."""
        metrics.pack_objects_cache_faults.inc()
        if not self._failing:
            self._failing = True
            _log.warning("packs are not kept", path=self.path, error=str(error))

    def works(self) -> None:
        """A pack was kept."""
        self._failing = False

    async def clean(self, before: float) -> None:
        """Removes what others have left, and what is older than `before`. Raises OSError."""
        instance = self.claim()
        instance.touch()
        swept = await to_the_end(sweep, self.path, instance.id, before)
        metrics.streamcache_filestore_removed.labels(self.path).inc(swept.removed)
        metrics.streamcache_filestore_disk_usage.labels(self.path).set(swept.bytes)

    async def close(self) -> None:
        """Removes all files, for nobody else knows what is in them."""
        for file in list(self._files):
            self.discard(file)
        await asyncio.gather(*self._tasks)
        if self._instance is not None:
            self._instance.release()
            self._instance = None

    def _dispose(self, fd: int) -> None:
        self._aside(os.close, fd)

    def _aside(self, function: Callable[..., None], *args: object) -> None:
        spawn(asyncio.to_thread(function, *args), name="files of packs", owner=self._tasks)

    def _unlink(self, path: str) -> None:
        # A file that others have removed may be why its pack was given up.
        with suppress(FileNotFoundError):
            try:
                os.unlink(path)
            except PermissionError as error:
                _log.warning("failed to remove a pack", path=path, error=str(error))
            else:
                metrics.streamcache_filestore_removed.labels(self.path).inc()
