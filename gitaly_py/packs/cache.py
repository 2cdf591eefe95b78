"""The pack cache of a worker."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git
from gitaly_py.packs.direct import DirectFlow
from gitaly_py.packs.errors import PacksClosed
from gitaly_py.packs.flow import Flow
from gitaly_py.packs.folder import Folder
from gitaly_py.packs.index import Entry, Index, ignored
from gitaly_py.packs.leases.client import Foreign, Leases
from gitaly_py.packs.leases.following import follow
from gitaly_py.packs.occurrences import Occurrences
from gitaly_py.packs.producing import Admit, Producer
from gitaly_py.packs.reader import PackReader
from gitaly_py.packs.request import PackRequest
from gitaly_py.packs.settings import PackCacheSettings
from gitaly_py.packs.shared import SharedFlow
from gitaly_py.storage.generations import Generations
from gitaly_py.telemetry import fields, metrics
from gitaly_py.telemetry.tasks import end_all, spawn

__all__ = ["Admit", "Packs"]

_CLEANED_EVERY: Final = 60.0  # seconds; more often if packs are kept for less


class Reading:
    """A reader as long as a block; what it reads is counted."""

    __slots__ = ("_begin", "_reader")

    def __init__(self, begin: Callable[[], PackReader]) -> None:
        self._begin = begin
        self._reader: PackReader

    async def __aenter__(self) -> PackReader:
        self._reader = reader = self._begin()
        result = "hit" if reader.hit else "miss"
        metrics.pack_objects_cache_lookups.labels(result).inc()
        metrics.pack_objects_cache_readers.value += 1
        fields.put("pack_objects_cache.key", reader.key)
        fields.put("pack_objects_cache.hit", "true" if reader.hit else "false")
        return reader

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reader = self._reader
        metrics.pack_objects_cache_readers.value -= 1
        reader.close()
        metrics.pack_objects_served_bytes.inc(reader.sent)
        fields.add("pack_objects_cache.served_bytes", reader.sent)


class Packs:
    """Makes packs, and keeps them for whoever asks for the same (transport.md 7.4 to 7.6).

    A pack is made once at a time, by a task that belongs to the cache and ends when nobody reads any more.
    leases: where other workers tell of their packs. clock: seconds, the same as of files.
    """

    def __init__(
        self,
        git: Git,
        settings: PackCacheSettings,
        generations: Generations,
        *,
        leases: Leases | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._leases = leases
        self._clock = clock
        self._producer = Producer(git, settings.keep_alive)
        self._folder = Folder(settings.dir)
        self._index = Index(
            self._folder,
            backpressure=settings.backpressure,
            max_size=settings.max_size,
            completed=leases.complete if leases else ignored,
            removed=leases.give_up if leases else ignored,
        )
        self._occurrences = Occurrences(settings.max_age, clock)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False
        generations.subscribe(self._outdated)

    @property
    def enabled(self) -> bool:
        """Whether packs are to be asked for here."""
        return self._settings.enabled

    async def start(self) -> None:
        """Takes the folder. One that can't be used is no error: then nothing is kept."""
        if not self.enabled:
            return
        age = str(int(self._settings.max_age))
        metrics.pack_objects_cache_enabled.labels(self._settings.dir, age).set(1)
        spawn(self._clean_regularly(), name="cleaner of packs", owner=self._tasks)

    async def close(self) -> None:
        """Ends producers, and removes the files, which nobody else can make use of.

        Readers may finish what is complete.
        """
        self._closed = True
        await end_all(self._tasks)
        self._index.remove_where(lambda _: True)
        await self._folder.close()

    def open(self, request: PackRequest, admit: Admit) -> Reading:
        """A reader of the pack, as long as the block.

        Raises InvalidPackObjectsCommand, PacksClosed; why a pack can't be made, the reader says.
        """
        return Reading(partial(self._reader, request, admit))

    async def clean(self) -> None:
        """Drops entries that are too old, and what is left of others in the folder."""
        before = self._clock() - self._settings.max_age
        self._index.remove_where(lambda entry: entry.created < before)
        try:
            await self._folder.clean(before)
        except OSError as error:
            self._folder.failed(error)

    async def _clean_regularly(self) -> None:
        while True:
            await self.clean()
            await asyncio.sleep(min(self._settings.max_age, _CLEANED_EVERY))

    def _reader(self, request: PackRequest, admit: Admit) -> PackReader:
        if self._closed:
            raise PacksClosed
        earlier = self._occurrences.count(request.key)
        entry = self._index.get(request.key)
        if entry is not None and self._is_usable(entry):
            return entry.flow.join(request.key, hit=True)
        command = request.command()
        if earlier >= self._settings.min_occurrences:
            try:
                entry = self._index.new(request, self._clock())
            except OSError as error:
                self._folder.failed(error)
            else:
                reader = entry.flow.join(request.key, hit=False)
                self._begin(entry.flow, entry.end, self._obtained(request, command, admit, entry.flow))
                return reader
        flow = DirectFlow(request.key)
        self._begin(flow, flow.end, self._producer.produce(request, command, admit, flow))
        return flow.reader

    def _is_usable(self, entry: Entry) -> bool:
        """Whether an entry can be read; one that can't be leaves the index."""
        with suppress(OSError):
            if entry.created >= self._clock() - self._settings.max_age:
                entry.flow.file.open()
                return True
        self._index.remove(entry)
        return False

    async def _obtained(self, request: PackRequest, command: Command, admit: Admit, flow: SharedFlow) -> None:
        """Makes a pack, unless another worker has it already, or makes it just now."""
        if self._leases is not None:
            foreign = await self._leases.seek(request.key)
            if foreign is None:
                self._leases.lead(request.key, flow.file.path, flow.followed)
            elif await self._followed(foreign, self._leases, flow):
                return
        await self._producer.produce(request, command, admit, flow)

    async def _followed(self, foreign: Foreign, leases: Leases, flow: SharedFlow) -> bool:
        """Takes a pack from another worker; False if that can't be read. Raises PackLost."""
        try:
            fd = os.open(foreign.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            leases.leave(foreign)
            return False
        own = flow.file
        flow.replace(self._folder.foreign(foreign.path, fd))
        own.close()
        self._folder.discard(own)
        try:
            await follow(flow, foreign, fd)
        finally:
            leases.leave(foreign)
        return True

    def _begin(
        self, flow: Flow, end: Callable[[Exception | None], None], making: Coroutine[Any, Any, None]
    ) -> None:
        """Starts to make a pack; `end` is called with what came of it, also if it is never begun."""

        async def outcome() -> Exception | None:
            try:
                await making
            except Exception as error:  # noqa: BLE001 - not ours to judge: it is raised where the pack is read
                return error
            return None

        def ended(task: asyncio.Task[Exception | None]) -> None:
            making.close()
            end(PacksClosed() if task.cancelled() else task.result())

        flow.producer = task = spawn(outcome(), name="pack-objects", owner=self._tasks)
        task.add_done_callback(ended)

    async def finished(self) -> None:
        """Waits until nothing is made any more that other workers read."""
        while making := [flow.producer for flow in self._index.followed() if flow.producer is not None]:
            await asyncio.wait(making)

    def _outdated(self, path: str) -> None:
        """The generation of a repository is over."""
        self._index.remove_where(lambda entry: entry.repository == path)
