"""What was advertised before, in memory, with the state of the references it was made from."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from gitaly_py.git.reading.refstate import ReferenceState
from gitaly_py.packs.advertising.answers import Answer, Cut, Data

_OVERHEAD: Final = 500
"""Bytes of an entry beside its contents, roughly."""

States = Sequence[ReferenceState]

T = TypeVar("T")


class Entry(NamedTuple):
    """An answer, or a part of one, and what it depends on."""

    states: States
    content: bytes | Answer | Cut

    @property
    def pieces(self) -> Sequence[Data]:
        """What there is to be sent."""
        return (self.content,) if isinstance(self.content, bytes) else self.content.pieces

    @property
    def data(self) -> bytes:
        """The same at once."""
        return self.content if isinstance(self.content, bytes) else b"".join(self.content.pieces)

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        own = len(self.content) if isinstance(self.content, bytes) else self.content.size
        return own + sum(state.size for state in self.states) + _OVERHEAD


class Kept:
    """Answers by what was asked; those not used for longest go first. max_bytes: of all of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes of memory in use, roughly."""
        return self._size

    async def valid(self, key: Hashable) -> Entry | None:
        """The answer of that name, if the references are as they were."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        for state in entry.states:
            if not await state.holds():
                if self._entries.get(key) is entry:
                    self._drop(key)
                return None
        if key in self._entries:
            self._entries.move_to_end(key)
        return entry

    def keep(self, key: Hashable, entry: Entry) -> bool:
        """Keeps an answer, if it can ever be told that it is still right; whether it does."""
        if not all(state.proves for state in entry.states):
            return False
        self._drop(key)
        self._entries[key] = entry
        self._size += entry.size
        while self._size > self._max_bytes:
            self._drop(next(iter(self._entries)))
        return key in self._entries

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size


class _UnderWay(NamedTuple, Generic[T]):
    states: States
    made: asyncio.Future[T | None]


class Shared(Generic[T]):
    """Answers on their way, for all who ask for the same in the same state of the references."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _UnderWay[T]] = {}

    async def get(self, key: Hashable, states: States, make: Callable[[], Awaitable[T | None]]) -> T | None:
        """What `make` gives, to this caller or to an earlier one that found these very states."""
        other = self._under_way.get(key)
        if other is not None and all(state.proves for state in states) and states == other.states:
            await asyncio.wait([other.made])
            if (found := other.made.result()) is not None:
                return found
        mine = _UnderWay[T](states, asyncio.get_running_loop().create_future())
        self._under_way[key] = mine
        made = None
        try:
            made = await make()
        finally:
            if self._under_way.get(key) is mine:
                del self._under_way[key]
            mine.made.set_result(made)
        return made
