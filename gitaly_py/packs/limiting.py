"""How many packs are generated at a time for one client (daemon.md 5.2, transport.md 7.6)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gitaly_py.config.limits import Limit, PackObjectsLimiting
from gitaly_py.limits.clock import LOOP, Clock
from gitaly_py.limits.limiter import Limiter
from gitaly_py.limits.monitor import Monitor
from gitaly_py.telemetry import fields, metrics

_HOST_AND_PORT = re.compile(r"\[([^]]*)\]:[0-9]*|([^:]*):[0-9]*")


class PackLimits:
    """Admits generators of packs, for each address that they come from.

    settings: of which an adaptive limit counts with its initial value.
    """

    def __init__(self, settings: PackObjectsLimiting, *, clock: Clock = LOOP) -> None:
        self._authenticated = _limiter(settings, "authenticated", clock)
        self._unauthenticated = self._authenticated
        if settings.unauthenticated is not None and settings.unauthenticated.is_set:
            self._unauthenticated = _limiter(settings.unauthenticated, "unauthenticated", clock)

    @asynccontextmanager
    async def admission(self, remote_ip: str, *, authenticated: bool) -> AsyncIterator[None]:
        """Waits for a slot, which is held while the block runs.

        remote_ip: of the user, with or without a port; one that says nothing about who it is (none, no
        address, the loopback's) is not limited. authenticated: whether the user has a name.
        Raises QueueFull, QueueTimeout.
        """
        limiter = self._authenticated if authenticated else self._unauthenticated
        key = limiting_key(remote_ip)
        if limiter is None or key is None:
            yield
            return
        with await limiter.acquire(key):
            yield


def limiting_key(remote_ip: str) -> str | None:
    """The normal form of an address, or None where there is nothing to limit."""
    pair = _HOST_AND_PORT.fullmatch(remote_ip)
    try:
        address = ipaddress.ip_address((pair[1] or pair[2] or "") if pair else remote_ip)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        # A zone means something on one machine only.
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    return None if address.is_loopback else str(address)


def _limiter(settings: Limit, caller: str, clock: Clock) -> Limiter | None:
    limit = settings.initial_limit if settings.adaptive else settings.limit
    if limit <= 0:
        return None
    wait = settings.max_queue_wait.seconds if settings.max_queue_wait > 0 else None
    return Limiter(
        limit, max_queue=settings.max_queue_size, max_wait=wait, monitor=_Report(caller), clock=clock
    )


class _Report(Monitor):
    """Metrics, and log fields of the call that wants the pack. caller: value of the label `auth`."""

    def __init__(self, caller: str) -> None:
        self._caller = caller
        self._queued = metrics.pack_objects_queued.labels(caller)
        self._in_progress = metrics.pack_objects_in_progress.labels(caller)
        self._seconds = metrics.pack_objects_acquiring_seconds.labels(caller)

    def queued(self, key: str, waiting: int) -> None:
        """See Monitor."""
        self._queued.inc()
        _put_place(key, waiting)

    def dequeued(self) -> None:
        """See Monitor."""
        self._queued.dec()

    def entered(self, running: int, seconds: float) -> None:
        """See Monitor."""
        self._in_progress.inc()
        self._seconds.observe(seconds)
        _put_outcome(running, seconds)

    def exited(self) -> None:
        """See Monitor."""
        self._in_progress.dec()

    def dropped(self, key: str, waiting: int, running: int, seconds: float, reason: str) -> None:
        """See Monitor."""
        metrics.pack_objects_dropped.labels(self._caller, reason).inc()
        _put_place(key, waiting)
        _put_outcome(running, seconds)
        fields.put("limit.concurrency_dropped", reason)


def _put_place(key: str, waiting: int) -> None:
    fields.put("limit.limiting_type", "pack-objects")
    fields.put("limit.limiting_key", key)
    fields.put("limit.concurrency_queue_length", waiting)


def _put_outcome(running: int, seconds: float) -> None:
    fields.put("limit.concurrency_queue_ms", round(seconds * 1000))
    fields.put("limit.concurrency_in_progress", running)
