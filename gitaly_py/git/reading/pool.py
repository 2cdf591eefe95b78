"""Keeps cat-file processes for their next use (daemon.md 6.6)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from gitaly_py.git.process import Git
from gitaly_py.git.reading.catfile import CatFile, running
from gitaly_py.git.reading.stamps import stamp
from gitaly_py.git.repository import GitRepository
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn

_SLOT = 300
"""Seconds of the wall clock after which no process is used again, lest it keep deleted packs for long."""

_SWEEP = 1.0

_Key = tuple[int, GitRepository, Hashable]


class _Idle(NamedTuple):
    process: CatFile
    owner: AsyncExitStack
    since: float


class CatFilePool:
    """Idle cat-file processes, at most one a repository as seen through its object directories.

    limit: idle processes kept, the oldest goes first. idle: seconds a process waits for its next use.
    """

    def __init__(
        self, git: Git, *, limit: int = 100, idle: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.git = git
        self._limit = limit
        self._idle_time = idle
        self._clock = clock
        self._idle: OrderedDict[_Key, _Idle] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending: set[asyncio.Task[Any]] = set()
        self._sweeping = False

    def __len__(self) -> int:
        return len(self._idle)

    @asynccontextmanager
    async def borrow(self, repository: GitRepository, identity: Hashable) -> AsyncIterator[CatFile]:
        """A process for one user; kept for the next one unless replies are left unread.

        identity: tells the repository from one that was at the same path before.
        """
        # A running git does not notice alternates that are linked later.
        alternates = stamp(f"{repository.path}/objects/info/alternates")
        key = (int(time.time()) // _SLOT, repository, (identity, alternates))
        taken = self._take(key)
        if taken is None:
            owner = AsyncExitStack()
            taken = _Idle(await owner.enter_async_context(running(self.git, repository)), owner, 0)
        try:
            yield taken.process
        finally:
            taken.process.report()
            if taken.process.clean:
                await self._put(key, taken)
            else:
                metrics.catfile_cache.labels("dirty").inc()
                await asyncio.wait([self._begin_end(taken)])

    async def evict(self, path: str) -> None:
        """Ends the idle processes of the repository at `path`, which was removed or replaced."""
        await self._end([key for key in self._idle if key[1].path == path])

    async def close(self) -> None:
        """Ends all idle processes."""
        await end_all(self._tasks)
        self._sweeping = False
        await self._end(list(self._idle))
        while self._ending:
            await asyncio.wait(self._ending)

    def _take(self, key: _Key) -> _Idle | None:
        idle = self._idle.pop(key, None)
        metrics.catfile_cache_members.labels("object_reader").set(len(self._idle))
        usable = idle if idle and idle.process.clean else None
        metrics.catfile_cache.labels("hit" if usable else "miss").inc()
        if idle and not usable:
            self._begin_end(idle)
        return usable

    async def _put(self, key: _Key, used: _Idle) -> None:
        surplus = []
        if key in self._idle:
            metrics.catfile_cache.labels("duplicate").inc()
            surplus.append(self._idle.pop(key))
        self._idle[key] = used._replace(since=self._clock())
        if len(self._idle) > self._limit:
            surplus.append(self._idle.popitem(last=False)[1])
        metrics.catfile_cache_members.labels("object_reader").set(len(self._idle))
        if not self._sweeping:
            self._sweeping = True
            spawn(self._sweep(), name="cat-file pool", owner=self._tasks)
        if surplus:
            await asyncio.wait([self._begin_end(idle) for idle in surplus])

    def _begin_end(self, idle: _Idle) -> asyncio.Task[None]:
        """Ends a process whoever is cancelled meanwhile."""
        return spawn(idle.owner.aclose(), name="cat-file end", owner=self._ending)

    async def _sweep(self) -> None:
        while self._idle:
            await asyncio.sleep(_SWEEP)
            await self.expire()
        self._sweeping = False

    async def expire(self) -> None:
        """Ends the processes that have been idle for too long."""
        oldest = self._clock() - self._idle_time
        await self._end([key for key, idle in self._idle.items() if idle.since <= oldest])

    async def _end(self, keys: list[_Key]) -> None:
        ended = [self._idle.pop(key) for key in keys]
        metrics.catfile_cache_members.labels("object_reader").set(len(self._idle))
        endings = [self._begin_end(idle) for idle in ended]
        if endings:
            await asyncio.wait(endings)
