"""Which packs are kept, by the key of their request."""

from __future__ import annotations

from collections.abc import Callable

from gitaly_py.packs.folder import Folder
from gitaly_py.packs.packfile import PackFile
from gitaly_py.packs.request import PackRequest
from gitaly_py.packs.shared import SharedFlow
from gitaly_py.telemetry import metrics

_CACHE_NAME = "pack_objects"


def ignored(*_: object) -> None:
    """Tells nobody."""


class Entry:
    """A pack that is kept, from the moment its making begins.

    repository: the path. created: when that moment was, in seconds of the cache's clock. size: bytes that
    count, which those of another worker don't.
    """

    def __init__(self, index: Index, request: PackRequest, file: PackFile, created: float) -> None:
        self.key = request.key
        self.repository = request.repository.path
        self.created = created
        self.flow = SharedFlow(file, self, backpressure=index.backpressure)
        self.size = 0
        self._index = index

    def grown(self, length: int) -> None:
        """See Owner."""
        self._index.grown(self, length)

    def not_kept(self, fault: OSError) -> None:
        """See Owner."""
        self._index.remove(self)
        self._index.folder.failed(fault)

    def abandoned(self) -> None:
        """See Owner."""
        self._index.remove(self)
        self.flow.abandon()

    def end(self, failure: Exception | None) -> None:
        """Its making is over. A pack that is not complete is given to nobody else from now on."""
        if failure is not None:
            self._index.remove(self)
        else:
            self._index.completed(self)
        self.flow.end(failure)
        self._index.grown(self, 0)


class Index:
    """Entries in the order of their last use. Their files go as soon as they do.

    backpressure: see SharedFlow. max_size: bytes of all entries; 0 is no limit. completed, removed: told the
    key of an entry that is whole, with its length, and of one that is taken out.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        backpressure: bool,
        max_size: int,
        completed: Callable[[str, int], None] = ignored,
        removed: Callable[[str], None] = ignored,
    ) -> None:
        self.folder = folder
        self.backpressure = backpressure
        self._max_size = max_size
        self._completed = completed
        self._removed = removed
        self._entries: dict[str, Entry] = {}
        self._size = 0

    def get(self, key: str) -> Entry | None:
        """The entry of a key, which is now the last one used."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._entries[key] = entry
        return entry

    def new(self, request: PackRequest, created: float) -> Entry:
        """A new entry, for a key that has none. Raises OSError."""
        entry = Entry(self, request, self.folder.create(), created)
        self._entries[entry.key] = entry
        self._count()
        return entry

    def remove(self, entry: Entry) -> None:
        """Takes an entry out, unless that was done."""
        if self._has(entry):
            del self._entries[entry.key]
            self._size -= entry.size
            self._count()
            self.folder.discard(entry.flow.file)
            self._removed(entry.key)

    def remove_where(self, condition: Callable[[Entry], bool]) -> None:
        """Takes out all entries of which `condition` is true."""
        for entry in list(filter(condition, self._entries.values())):
            self.remove(entry)

    def followed(self) -> list[SharedFlow]:
        """Packs that are being made, and that other workers read."""
        flows = [entry.flow for entry in self._entries.values()]
        return [flow for flow in flows if flow.is_followed and not flow.over]

    def completed(self, entry: Entry) -> None:
        """All of an entry was made; if it is still kept, the folder has taken it."""
        if self._has(entry):
            self.folder.works()
            self._completed(entry.key, entry.flow.written)

    def grown(self, entry: Entry, length: int) -> None:
        """An entry got longer by `length` bytes: others may have to go. Those that are being made stay."""
        if not self._has(entry):
            return
        entry.size += length
        self._size += length
        if self._max_size and self._size > self._max_size:
            for other in [other for other in self._entries.values() if other.flow.over]:
                self.remove(other)
                if self._size <= self._max_size:
                    break

    def _has(self, entry: Entry) -> bool:
        return self._entries.get(entry.key) is entry

    def _count(self) -> None:
        folder, length = self.folder.path, len(self._entries)
        metrics.streamcache_index_entries.labels(folder, _CACHE_NAME).set(length)
