"""Which section of the configuration limits a caller, and the name of its limiter (daemon.md 5.1, 5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gitaly_py.config.limits import Concurrency, Limit, PackObjectsLimiting

PACK_OBJECTS: Final = "packObjects"
PER_RPC: Final = "perRPC"
NAMELESS: Final = "-unauthenticated"

_DEFAULTS: Final = (Concurrency(rpc="/gitaly.RepositoryService/ReplicateRepository", max_concurrency=1),)
"""A repository is replicated once at a time: there is no use in doing it twice."""


def by_rpc(entries: Sequence[Concurrency]) -> dict[str, Concurrency]:
    """The section of each limited RPC, by full method; of several entries for an RPC the last one counts."""
    return {entry.rpc: entry for entry in (*_DEFAULTS, *entries)}


def nameless(section: Concurrency | PackObjectsLimiting) -> Limit:
    """What limits callers without a user name: a section of their own, else the one of all callers."""
    own = section.unauthenticated
    return own if own is not None and own.is_set else section


def named_limits(name: str, section: Concurrency | PackObjectsLimiting) -> Iterator[tuple[str, Limit]]:
    """The limiters of a section and the settings of each.

    name: of the limiter of callers with a user name, PACK_OBJECTS or PER_RPC and a full method.
    """
    yield name, section
    if nameless(section) is not section:
        yield name + NAMELESS, nameless(section)
