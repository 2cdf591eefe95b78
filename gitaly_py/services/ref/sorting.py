"""The order of a listing (ref-blob.md 3.3)."""

from __future__ import annotations

import enum
import heapq
from collections.abc import AsyncIterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from gitaly_py.git.reading.interface import Reader, References
from gitaly_py.git.wire.versionsort import version_key
from gitaly_py.services.ref.dates import dates_of
from gitaly_py.services.ref.portions import in_portions
from gitaly_py.telemetry.turns import turn

_RUN = 1024
"""References sorted at a stretch: about a millisecond."""


class Key(enum.Enum):
    """What references are sorted by, under git's names."""

    NAME = "refname"
    VERSION = "version:refname"
    COMMITTER_DATE = "committerdate"
    AUTHOR_DATE = "authordate"
    CREATOR_DATE = "creatordate"


@dataclass(frozen=True)
class Order:
    """How references are sorted.

    `descending` turns round the key only: equal ones are always in ascending order of their names.
    ignore_case: names compare as if ASCII letters were all small.
    """

    key: Key = Key.NAME
    descending: bool = False
    ignore_case: bool = False

    @property
    def by_bytes_of_name(self) -> bool:
        """Whether this is the order that references are stored in, or its reverse."""
        return self.key is Key.NAME and not self.ignore_case

    @property
    def _reverse(self) -> bool:
        """Dates are turned round by their sign instead, so that their tie-break keeps its direction."""
        return self.descending and self.key in (Key.NAME, Key.VERSION)

    async def sort(
        self, reader: Reader, batches: AsyncIterable[References]
    ) -> tuple[References, Iterator[int]]:
        """All references of `batches`, which are in byte order of the names, and their indices in this order.

        A run of references is sorted at a time, and the runs are merged only as far as someone iterates: the
        event loop is never held for the whole list, and a short page costs little beyond the keys.
        Raises ObjectNotFound.
        """
        every = References([], [], [])
        keys: list[Any] = []
        runs: list[list[int]] = []
        async for batch in batches:
            every.names += batch.names
            every.oids += batch.oids
            every.peeled += batch.peeled
            for portion in in_portions(batch, _RUN):
                begin = len(keys)
                keys += await self._keys(reader, portion)
                runs.append(sorted(range(begin, len(keys)), key=keys.__getitem__, reverse=self._reverse))
                await turn()
        return every, heapq.merge(*runs, key=keys.__getitem__, reverse=self._reverse)

    async def _keys(self, reader: Reader, batch: References) -> list[Any]:
        """Sort keys of a batch; where they are equal, the order of arrival stays."""
        names = list(map(bytes.lower, batch.names)) if self.ignore_case else batch.names
        if self.key is Key.NAME:
            return names
        if self.key is Key.VERSION:
            return list(map(version_key, names))
        date = attrgetter(self.key.value)
        known = await dates_of(reader, batch.oids)
        sign = -1 if self.descending else 1
        dates = [sign * date(known[oid]) for oid in batch.oids]
        return list(zip(dates, names, strict=True)) if self.ignore_case else dates
