"""Generations of repositories: what was derived from a repository's objects is good for one of them.

A generation ends when objects go away or history is rewritten (prune, rewrite, restore, replicate, remove).
A push does not end it: a pack for given wants and haves stays right when there are more objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Table(Protocol):
    """Where generations are kept, by the absolute path of a repository."""

    def of(self, path: str) -> int:
        """The generation of a repository; none it had before is the same."""

    def raise_of(self, path: str) -> None:
        """Begins a new one."""


class OwnTable:
    """Generations of one process. known: how many repositories are remembered."""

    def __init__(self, *, known: int = 65536) -> None:
        self._known = known
        self._raised: dict[str, int] = {}
        self._others = 0
        self._latest = 0

    def of(self, path: str) -> int:
        """See Table."""
        return self._raised.get(path, self._others)

    def raise_of(self, path: str) -> None:
        """See Table."""
        self._latest += 1
        if len(self._raised) >= self._known:
            # Whatever is forgotten begins a generation, too: that costs a few packs and no memory.
            self._raised.clear()
            self._others = self._latest
        self._raised[path] = self._latest


class Generations:
    """The generations of repositories, as one worker sees them. table: shared by all workers."""

    def __init__(self, table: Table | None = None) -> None:
        self._table = table or OwnTable()
        self._subscribers: list[Callable[[str], None]] = []

    def of(self, path: str) -> int:
        """The generation of the repository at the absolute `path`; none it had before is the same."""
        return self._table.of(path)

    def raise_of(self, path: str) -> None:
        """Begins a new generation, and tells subscribers; for when the former objects are out of reach."""
        self._table.raise_of(path)
        for subscriber in self._subscribers:
            subscriber(path)

    def subscribe(self, callback: Callable[[str], None]) -> None:
        """Calls `callback` with the path of each repository whose generation is raised by this worker."""
        self._subscribers.append(callback)
