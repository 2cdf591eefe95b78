"""Batches of references made small enough to be handled without holding the event loop."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gitaly_py.git.reading.interface import References


def in_portions(batch: References, size: int, *, count: int = sys.maxsize) -> Iterator[References]:
    """The first `count` references of a batch, in batches of at most `size`."""
    end = min(len(batch), count)
    for begin in range(0, end, size):
        part = slice(begin, min(begin + size, end))
        yield References(batch.names[part], batch.oids[part], batch.peeled[part])
