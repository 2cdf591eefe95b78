"""Objects for listed references, which git reads while those before them are encoded."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeVar

from gitaly_py.git.reading.interface import GitObject, Reader

TURN = 128
"""Objects that are encoded in a row, which takes about a millisecond."""

ItemT = TypeVar("ItemT")

Asked = tuple[Sequence[ItemT], Sequence[bytes]]
"""A batch of items, and the revision of the object that belongs to each."""


async def with_objects(
    reader: Reader, source: AsyncGenerator[Asked[ItemT]], most: int = TURN
) -> AsyncGenerator[list[tuple[ItemT, GitObject | None]]]:
    """Each item with the object that its revision names, None where there is none; closes `source`.

    In order, in lists of 1 to `most`. Raises as Reader.read does.
    """
    items: deque[ItemT] = deque()
    async with (
        aclosing(source),
        aclosing(_noted(source, items)) as revisions,
        aclosing(reader.read_batches(revisions)) as batches,
    ):
        async for objects in batches:
            for start in range(0, len(objects), most):
                yield [(items.popleft(), found) for found in objects[start : start + most]]


async def _noted(source: AsyncIterator[Asked[ItemT]], items: deque[ItemT]) -> AsyncGenerator[Sequence[bytes]]:
    async for batch, revisions in source:
        items.extend(batch)
        yield revisions
