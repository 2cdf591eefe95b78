"""How many packs are generated at a time for one client (daemon.md 5.2, transport.md 7.6)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gitaly_py.config.limits import Limit, PackObjectsLimiting
from gitaly_py.limits.making import Acquirable, Limiters
from gitaly_py.limits.report import Report
from gitaly_py.limits.sections import NAMELESS, PACK_OBJECTS, nameless
from gitaly_py.telemetry import metrics

_HOST_AND_PORT = re.compile(r"\[([^]]*)\]:[0-9]*|([^:]*):[0-9]*")


class PackLimits:
    """Admits generators of packs, for each address that they come from."""

    def __init__(self, settings: PackObjectsLimiting, limiters: Limiters) -> None:
        self._authenticated = _limiter(PACK_OBJECTS, settings, "authenticated", limiters)
        self._unauthenticated = self._authenticated
        if nameless(settings) is not settings:
            self._unauthenticated = _limiter(
                PACK_OBJECTS + NAMELESS, nameless(settings), "unauthenticated", limiters
            )

    @asynccontextmanager
    async def admission(self, remote_ip: str, *, authenticated: bool) -> AsyncIterator[None]:
        """Waits for a slot, which is held while the block runs.

        remote_ip: of the user, with or without a port; one that says nothing about who it is (none, no
        address, the loopback's) is not limited. authenticated: whether the user has a name.
        Raises QueueFull, QueueTimeout.
        """
        limits = self._authenticated if authenticated else self._unauthenticated
        key = limiting_key(remote_ip)
        if limits is None or key is None:
            yield
            return
        with await limits.acquire(key):
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


def _limiter(name: str, settings: Limit, caller: str, limiters: Limiters) -> Acquirable | None:
    """caller: value of the label `auth`."""
    report = Report(
        "pack-objects",
        queued=metrics.pack_objects_queued.labels(caller),
        in_progress=metrics.pack_objects_in_progress.labels(caller),
        seconds=metrics.pack_objects_acquiring_seconds.labels(caller),
        dropped=lambda reason: metrics.pack_objects_dropped.labels(caller, reason).inc(),
    )
    return limiters.make(name, settings, report)
