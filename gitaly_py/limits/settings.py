"""Limiters as the configuration asks for them (daemon.md 5.1, 5.2), and what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gitaly_py.config.limits import Concurrency, Limit, PackObjectsLimiting
from gitaly_py.limits.desk import Settings

PACKS: Final = "packObjects"
UNAUTHENTICATED: Final = "-unauthenticated"

_DEFAULTS: Final = (Concurrency(rpc="/gitaly.RepositoryService/ReplicateRepository", max_concurrency=1),)
"""A repository is replicated once at a time: there is no use in doing it twice."""


def rpc_name(path: str) -> str:
    """The name of the limiter of an RPC. path: `/gitaly.<Service>/<Rpc>`."""
    return f"perRPC{path}"


def rpc_entries(entries: Sequence[Concurrency]) -> Mapping[str, Concurrency]:
    """What counts of `[[concurrency]]`, by RPC: of several entries the last one."""
    return {entry.rpc: entry for entry in (*_DEFAULTS, *entries)}


def settings_of(section: Limit) -> Settings | None:
    """What a section asks for, None where it sets no limit. Of an adaptive one the initial limit counts."""
    limit = section.initial_limit if section.adaptive else section.limit
    if limit <= 0:
        return None
    wait = section.max_queue_wait.seconds if section.max_queue_wait > 0 else None
    return Settings(limit, section.max_queue_size, wait)


def all_limits(
    concurrency: Sequence[Concurrency], packs: PackObjectsLimiting
) -> Iterator[tuple[str, Limit, Settings]]:
    """Every limiter of a configuration: its name, its section, and what that asks for."""
    for name, section in _named(concurrency, packs):
        settings = settings_of(section)
        if settings is not None:
            yield name, section, settings


def _named(concurrency: Sequence[Concurrency], packs: PackObjectsLimiting) -> Iterator[tuple[str, Limit]]:
    sections: dict[str, Concurrency | PackObjectsLimiting] = {PACKS: packs}
    sections.update({rpc_name(path): entry for path, entry in rpc_entries(concurrency).items()})
    for name, section in sections.items():
        yield name, section
        if section.unauthenticated is not None and section.unauthenticated.is_set:
            yield name + UNAUTHENTICATED, section.unauthenticated
