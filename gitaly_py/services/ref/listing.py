"""Pages of sorted references: what ListRefs, FindLocalBranches and FindAllTags have in common."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice

from gitaly_py.git.reading.interface import Reader, References
from gitaly_py.git.reading.matching import Patterns, matching
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.ref.paging import Page
from gitaly_py.services.ref.pointing import references_pointing_at
from gitaly_py.services.ref.portions import in_portions
from gitaly_py.services.ref.sorting import Order
from gitaly_py.telemetry.turns import turn

_BATCH = 1024


@dataclass
class Listing:
    """One page of the references that match.

    pointing_at: revisions; when there are any, only references that lead to one of them are listed.
    more: whether there are references beyond the page; known when `batches` has ended.
    """

    reader: Reader
    patterns: Patterns
    order: Order
    page: Page
    pointing_at: Sequence[bytes] = ()
    more: bool = False

    async def batches(self, most: int) -> AsyncGenerator[References]:
        """The references of the page, in order, in batches of 1 to `most`.

        In the order of the names, no more is read than the page needs. Raises InvalidArgument for an
        unknown page token, ObjectNotFound when the order needs an object that is missing.
        """
        left = sys.maxsize if self.page.limit is None else self.page.limit
        if left == 0:
            if self.page.token:
                raise InvalidArgument(self.page.unknown_token)
            return
        async with aclosing(await self._beyond_token()) as source:
            async for batch in source:
                for portion in in_portions(batch, most, count=left):
                    yield portion
                left -= len(batch)
                if left < 0:
                    self.more = True
                    return

    async def _beyond_token(self) -> AsyncGenerator[References]:
        token, descending = self.page.token, self.order.descending
        if self.pointing_at or not self.order.by_bytes_of_name:
            return self._sorted()
        if token and not await self._is_listed(token):
            raise InvalidArgument(self.page.unknown_token)
        return matching(self.reader, self.patterns, after=token, descending=descending)

    async def _is_listed(self, name: bytes) -> bool:
        listable = name.startswith(b"refs/") and self.patterns.matches(name)
        return listable and await self.reader.reference(name) is not None

    async def _sorted(self) -> AsyncGenerator[References]:
        if self.pointing_at:
            source = references_pointing_at(self.reader, self.pointing_at, self.patterns)
        else:
            source = matching(self.reader, self.patterns)
        async with aclosing(source):
            every, indices = await self.order.sort(self.reader, source)
        if self.page.token:
            await self._skip(every.names, indices)
        while chosen := list(islice(indices, _BATCH)):
            yield References(
                [every.names[index] for index in chosen],
                [every.oids[index] for index in chosen],
                [every.peeled[index] for index in chosen],
            )

    async def _skip(self, names: Sequence[bytes], indices: Iterator[int]) -> None:
        """Consumes `indices` up to and including that of the page token."""
        for passed, index in enumerate(indices, 1):
            if names[index] == self.page.token:
                return
            if passed % _BATCH == 0:
                await turn()
        raise InvalidArgument(self.page.unknown_token)
