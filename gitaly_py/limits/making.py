"""Makes limiters: of this process alone, or those that all workers share."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from gitaly_py.config.limits import Limit
from gitaly_py.limits.clock import LOOP, Clock
from gitaly_py.limits.limiter import Limiter, Slot
from gitaly_py.limits.monitor import Monitor
from gitaly_py.limits.remote import RemoteDesk
from gitaly_py.limits.settings import settings_of
from gitaly_py.limits.state import LimiterState


class Acquirable(Protocol):
    """A limiter, wherever it is."""

    def request(self, key: str, deadline: float | None = None) -> Slot | Coroutine[Any, Any, Slot]:
        """As `acquire`: a slot if one can be had now, else what waits for it, to be awaited at once.

        deadline: in Unix seconds; a caller that is cancelled after it has waited for too long.
        """

    async def acquire(self, key: str) -> Slot:
        """A slot of `key`, as soon as one is free. Raises LimitReached."""


class Limiters:
    """The limiters of a worker. desk: the way to shared ones; without it all are its own.

    shared: not only adaptive ones, which follow the load of the machine, are there.
    """

    def __init__(self, desk: RemoteDesk | None = None, *, shared: bool = True, clock: Clock = LOOP) -> None:
        self._desk = desk
        self._shared = shared
        self._clock = clock
        self._own: dict[str, Limiter] = {}

    def make(self, name: str, section: Limit, monitor: Monitor) -> Acquirable | None:
        """The limiter of a section, None where that sets no limit."""
        settings = settings_of(section)
        if settings is None:
            return None
        if self._desk is not None and (self._shared or section.adaptive):
            return self._desk.limiter(name, monitor)
        limit, max_queue, max_wait = settings
        made = self._own[name] = Limiter(
            limit, max_queue=max_queue, max_wait=max_wait, monitor=monitor, clock=self._clock
        )
        return made

    def states(self) -> list[LimiterState]:
        """Those of this process, now."""
        return [limiter.state(name) for name, limiter in self._own.items()]
