"""How packs are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from gitaly_py.config.streamcache import PackObjectsCache


@dataclass(frozen=True, kw_only=True)
class PackCacheSettings:
    """`[pack_objects_cache]` in the units of the code, and what has no key.

    dir: absolute path. max_age: seconds for which an entry is served. min_occurrences: like requests that
    pass the cache by. backpressure: the producer waits for the fastest reader. max_size: bytes of all
    entries together; 0 is no limit. keep_alive: seconds of silence after which an empty packet goes out.
    """

    enabled: bool = False
    dir: str = ""
    max_age: float = 300.0
    min_occurrences: int = 1
    backpressure: bool = True
    max_size: int = 0
    keep_alive: float = 5.0

    @classmethod
    def of(cls, section: PackObjectsCache, *, workers: int = 1) -> Self:
        """The settings that a section of the configuration asks for, of each of so many workers."""
        return cls(
            enabled=section.enabled,
            dir=section.dir,
            max_age=section.max_age.seconds,
            min_occurrences=section.min_occurrences,
            backpressure=section.backpressure,
            max_size=-(-section.max_size // workers),
        )
