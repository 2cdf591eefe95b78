"""The static and the dynamic table as one (RFC 7541 2.3 and 4)."""

from __future__ import annotations

from collections import deque
from typing import Final

from gitaly_py.rpc.http2.hpack.memo import Entry, Field
from gitaly_py.rpc.http2.hpack.static_table import STATIC_TABLE

FIRST: Final = 0x80  # of the list of fields, so that an octet that means a field is also its place there
_FIRST_DYNAMIC: Final = len(STATIC_TABLE) + 1
_NEWEST: Final = FIRST + _FIRST_DYNAMIC
_LARGEST_STATIC: Final = 32 + max(len(name) + len(value) for name, value in STATIC_TABLE)


class Table:
    """What indexes mean.

    fields: the field of index i is fields[FIRST + i], and looking it up costs nothing else; therefore
    insertion moves what is older, which a table of 64 KiB makes 2,000 pointers at most.
    capacity: octets of the dynamic part, as its sender chose. largest: no entry ever was larger.
    """

    __slots__ = ("_entries", "_used", "capacity", "fields", "largest")

    def __init__(self, static: list[Field], capacity: int) -> None:
        self.fields: list[Field] = [("", "")] * (FIRST + 1) + static
        self.capacity = capacity
        self.largest = _LARGEST_STATIC
        self._entries: deque[Entry] = deque()  # the newest first
        self._used = 0

    def name(self, index: int) -> bytes:
        """The name at an index above 0. Raises IndexError."""
        if index < _FIRST_DYNAMIC:
            return STATIC_TABLE[index - 1][0]
        return self._entries[index - _FIRST_DYNAMIC][1]

    def insert(self, entry: Entry) -> None:
        """Adds an entry, and evicts the oldest; all, when the new one is larger than the table (4.4)."""
        self._entries.appendleft(entry)
        self.fields[_NEWEST:_NEWEST] = (entry[0],)
        size = entry[2]
        if size > self.largest:
            self.largest = size
        self._used += size
        if self._used > self.capacity:
            self._evict()

    def insert_all(self, entries: list[Entry]) -> None:
        """Adds entries, the oldest first, with the result of an insertion each."""
        self._entries.extendleft(entries)
        self.fields[_NEWEST:_NEWEST] = [entry[0] for entry in reversed(entries)]
        sizes = [entry[2] for entry in entries]
        self.largest = max(self.largest, *sizes)
        self._used += sum(sizes)
        if self._used > self.capacity:
            self._evict()

    def resize(self, capacity: int) -> None:
        """The sender chose another capacity."""
        self.capacity = capacity
        self._evict()

    def _evict(self) -> None:
        entries, used, capacity = self._entries, self._used, self.capacity
        while used > capacity:
            used -= entries.pop()[2]
        self._used = used
        del self.fields[_NEWEST + len(entries) :]
