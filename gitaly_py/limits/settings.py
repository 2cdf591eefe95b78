"""What the configuration asks of limiters (daemon.md 5.1, 5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitaly_py.config.limits import Concurrency, Limit, PackObjectsLimiting
from gitaly_py.limits.desk import Settings
from gitaly_py.limits.sections import PACK_OBJECTS, PER_RPC, by_rpc, named_limits


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
    sections: dict[str, Concurrency | PackObjectsLimiting] = {PACK_OBJECTS: packs}
    sections.update({PER_RPC + path: entry for path, entry in by_rpc(concurrency).items()})
    for name, section in sections.items():
        for own_name, own in named_limits(name, section):
            settings = settings_of(own)
            if settings is not None:
                yield own_name, own, settings
