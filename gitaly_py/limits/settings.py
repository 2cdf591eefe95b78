"""Limiters as the configuration asks for them (daemon.md 5.1, 5.2)."""

from __future__ import annotations

from gitaly_py.config.limits import Limit
from gitaly_py.limits.clock import LOOP, Clock
from gitaly_py.limits.limiter import Limiter
from gitaly_py.limits.monitor import Monitor


def limiter(settings: Limit, monitor: Monitor, *, clock: Clock = LOOP) -> Limiter | None:
    """The limiter of a section, None where it sets no limit. Of an adaptive one the initial limit counts."""
    limit = settings.initial_limit if settings.adaptive else settings.limit
    if limit <= 0:
        return None
    wait = settings.max_queue_wait.seconds if settings.max_queue_wait > 0 else None
    return Limiter(limit, max_queue=settings.max_queue_size, max_wait=wait, monitor=monitor, clock=clock)
