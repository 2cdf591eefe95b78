"""What upload-pack answered to requests, up to the pack, so that the same request needs no process again.

A plan is good for one generation of a repository, which whatever removes objects raises. New pushes don't
matter, since a pack for given wants and haves stays right.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from gitaly_py.packs.request import PackRequest
from gitaly_py.telemetry import metrics

MAX_BYTES: Final = 64 * 1024 * 1024
"""Memory of all plans together."""

MAX_PLAN_BYTES: Final = 1024 * 1024
"""Larger plans are not kept."""

_OVERHEAD: Final = 1500
"""Bytes of a plan beside its contents, its key included, roughly."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer.

    prefix: what comes before the pack, or all of it. pack: what pack-objects is asked for, None where
    upload-pack has answered without a pack. status, stderr: how it ended then.
    """

    prefix: bytes
    pack: PackRequest | None = None
    status: int = 0
    stderr: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        pack = 0 if self.pack is None else len(self.pack.stdin)
        return len(self.prefix) + pack + len(self.stderr) + _OVERHEAD


class Making:
    """A plan on its way; whoever waits for it gets what `keep` is given, or nothing. kept: takes that."""

    def __init__(self, kept: Callable[[Plan], None]) -> None:
        self._kept = kept
        self.made: asyncio.Future[Plan | None] = asyncio.get_running_loop().create_future()

    def keep(self, plan: Plan) -> None:
        """The plan is there, and may be used again."""
        if not self.made.done():
            self._kept(plan)
            self.made.set_result(plan)


class Plans:
    """Keeps plans in memory, those used last. max_bytes: of all of them.

    A key is short, and stands for everything that an answer depends on.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, Plan] = OrderedDict()
        self._size = 0
        self._making: dict[Hashable, Making] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of memory in use, roughly."""
        return self._size

    async def lookup(self, key: Hashable) -> Plan | None:
        """The plan of that name; waits once for one that is being made."""
        making = self._making.get(key)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        elif making is not None:
            await asyncio.wait([making.made])
            found = making.made.result()
        metrics.pack_plan_lookups.labels("miss" if found is None else "hit").inc()
        return found

    @contextmanager
    def making(self, key: Hashable) -> Iterator[Making]:
        """Lets others wait for a plan that is made in the block; what is kept is there at its end."""
        making = Making(partial(self._keep, key))
        first = self._making.setdefault(key, making) is making
        try:
            yield making
        finally:
            if first:
                del self._making[key]
            if not making.made.done():
                making.made.set_result(None)

    def _keep(self, key: Hashable, plan: Plan) -> None:
        if plan.size > MAX_PLAN_BYTES:
            return
        self._drop(key)
        self._kept[key] = plan
        self._size += plan.size
        while self._size > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        plan = self._kept.pop(key, None)
        if plan is not None:
            self._size -= plan.size
