"""How many repositories the storages hold, by kind (daemon.md 6.6, 7.5).

A walk counts them once; what is created and removed from then on is added and taken away. One process of a
machine counts; others that serve the same storages tell it of their changes, see `report_to`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection

import structlog

from gitaly_py.storage.paths import clean
from gitaly_py.storage.walking import repositories
from gitaly_py.telemetry import metrics

_PAUSE_SECONDS = 0.001
"""Between two repositories, so that calls come first where there are very many."""

_CLUSTER = "@cluster"

_RECENT = 1024
"""Repositories that were found last: a change is told a moment after it can be seen."""

Reporter = Callable[[str, str, int], None]
"""Gets the storage's path, the repository's path, and 1 or -1."""

_log = structlog.get_logger("gitaly")


class _Walk:
    """A count under way, which shows nothing yet."""

    def __init__(self, storage_path: str) -> None:
        self.counts: Counter[str] = Counter()
        self._storage_path = storage_path
        self._changed: set[str] = set()
        self._position: list[str] = []
        self._recent: deque[str] = deque(maxlen=_RECENT)

    def found(self, path: str) -> None:
        """The walk is at a repository. They come in the order of their folders' names."""
        relative = _relative(self._storage_path, path)
        self._position = relative.split("/")
        if path not in self._changed:
            self._recent.append(path)
            _add(self.counts, relative, 1)
            if not _prefix(relative):
                _log.warning("repository directly in its storage is not counted", path=path)

    def created(self, path: str) -> None:
        """A call has made a repository, which the walk may come to or not."""
        is_counted = path in self._recent and path not in self._changed
        self._changed.add(path)
        if not is_counted:
            _add(self.counts, _relative(self._storage_path, path), 1)

    def removed(self, path: str) -> None:
        """A call has removed one, which the walk will not find any more."""
        relative = _relative(self._storage_path, path)
        if path in self._changed or relative.split("/") <= self._position:
            _add(self.counts, relative, -1)
        self._changed.add(path)


_lock = threading.Lock()
_walks: dict[str, _Walk] = {}
_reporters: list[Reporter] = []


async def count(storage_paths: Collection[str], stop: threading.Event) -> None:
    """Counts the repositories of storages, each folder once and unhurriedly, until `stop` is set.

    From the call on, a storage shows nothing until it is counted.
    """
    paths = sorted({clean(path) for path in storage_paths})
    for path in paths:
        _walks[path] = _Walk(path)
    for path in paths:
        await asyncio.to_thread(_count, path, stop)


def report_to(reporter: Reporter) -> None:
    """Tells `reporter` of all changes instead of counting them here. It is called from any thread."""
    _reporters[:] = [reporter]


def created(storage_path: str, path: str) -> None:
    """There is one more repository, at the absolute `path`."""
    _report(storage_path, path, 1)


def removed(storage_path: str, path: str) -> None:
    """There is no repository any more at the absolute `path`."""
    _report(storage_path, path, -1)


def changed(storage_path: str, path: str, number: int) -> None:
    """Counts what another process has reported, see Reporter."""
    with _lock:
        walk = _walks.get(storage_path)
        if walk is None:
            _show(storage_path, _prefix(_relative(storage_path, path)), number)
        elif number > 0:
            walk.created(path)
        else:
            walk.removed(path)


def _report(storage_path: str, path: str, number: int) -> None:
    for report in _reporters or (changed,):
        report(storage_path, path, number)


def _count(storage_path: str, stop: threading.Event) -> None:
    walk = _walks[storage_path]
    for path in repositories(storage_path, _unreadable):
        if stop.wait(_PAUSE_SECONDS):
            return
        with _lock:
            walk.found(path)
    with _lock:
        del _walks[storage_path]
        for prefix, number in walk.counts.items():
            _show(storage_path, prefix, number)


def _unreadable(error: OSError) -> None:
    _log.warning("folder not looked at for repositories", path=error.filename, error=str(error))


def _show(storage_path: str, prefix: str, number: int) -> None:
    if prefix:
        metrics.total_repositories.labels(storage_path, prefix).inc(number)


def _add(counts: Counter[str], relative: str, number: int) -> None:
    if prefix := _prefix(relative):
        counts[prefix] += number


def _relative(storage_path: str, path: str) -> str:
    return os.path.relpath(path, storage_path)


def _prefix(relative: str) -> str:
    """What kind of repository it is by its path, such as `@hashed`; empty for one in no folder."""
    first, _, rest = relative.partition("/")
    if first == _CLUSTER:
        first, _, rest = rest.partition("/")
    return first if rest else ""
