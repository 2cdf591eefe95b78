"""`[pack_objects_cache]` and `[archive_cache]`: answers kept on disk."""

from __future__ import annotations

from pydantic import NonNegativeInt

from gitaly_py.config.duration import Duration
from gitaly_py.config.section import Section, setting


class StreamCache(Section):
    """The keys that both caches share. Defaults that depend on others are filled in when `enabled`."""

    enabled: bool = setting(False, "Use the cache.")
    dir: str = setting("", "Absolute path; default lies in `+gitaly` of the first storage.")
    max_age: Duration = setting(Duration(0), "Time for which an entry is served; 0 is 5m.")
    min_occurrences: int = setting(0, "Like requests that pass the cache by before it keeps the answer.")
    backpressure: bool = setting(False, "Make the writer wait for the fastest reader.")


class PackObjectsCache(StreamCache):
    """`[pack_objects_cache]`."""

    min_occurrences: int = setting(1, "Like requests that pass the cache by before it keeps the answer.")
    backpressure: bool = setting(True, "Make the writer wait for the fastest reader.")
    max_size: NonNegativeInt = setting(
        0, "Bytes kept at most: the packs that were not used for longest go first; 0 is no limit."
    )


class ArchiveCache(StreamCache):
    """`[archive_cache]`."""
