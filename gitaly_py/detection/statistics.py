"""The languages that were asked for last, and one count at a time of a repository's (ruby-sidecar.md 4.3)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakValueDictionary

from gitaly_py.detection.interface import LanguageBytes, LanguageCounter
from gitaly_py.storage.repository import Repository

_KEPT = 256
"""Commits whose languages are kept."""

_Key = tuple[str, str]


class LanguageStatistics:
    """Answers again what does not change: the languages of a commit, even if its objects are gone by now."""

    def __init__(self, counter: LanguageCounter) -> None:
        self._counter = counter
        self._kept: OrderedDict[_Key, Sequence[LanguageBytes]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def of(self, repository: Repository, commit: str) -> Sequence[LanguageBytes]:
        """The languages of a commit; see LanguageCounter.count."""
        if repository.git.object_directory or repository.git.alternate_object_directories:
            return await self._counter.count(repository, commit)
        key = (repository.path, commit)
        if key not in self._kept:
            # Whoever asks meanwhile is answered from what the first one has found.
            lock = self._locks.setdefault(repository.path, asyncio.Lock())
            async with lock:
                if key not in self._kept:
                    self._keep(key, await self._counter.count(repository, commit))
        self._kept.move_to_end(key)
        return self._kept[key]

    def _keep(self, key: _Key, languages: Sequence[LanguageBytes]) -> None:
        self._kept[key] = languages
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
