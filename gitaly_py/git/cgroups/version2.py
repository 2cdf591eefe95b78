"""Control groups of version 2: one hierarchy, whose controllers each group hands down."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

from gitaly_py.git.cgroups import files
from gitaly_py.git.cgroups.hierarchy import PERIOD_US, Hierarchy, Limits
from gitaly_py.limits.load import Load

MARK: Final = "cgroup.controllers"
"""A file that every group of this version has."""

_CONTROLLERS: Final = frozenset({"cpu", "memory"})
_MICROSECONDS: Final = 1_000_000
_MIN_SHARES: Final = 2
_MAX_SHARES: Final = 262_144
_MAX_WEIGHT: Final = 10_000


class Version2(Hierarchy):
    """`<mountpoint>` itself."""

    def __init__(self, mountpoint: str) -> None:
        super().__init__([mountpoint])
        self._controllers = _CONTROLLERS & files.words(f"{mountpoint}/{MARK}")

    def delegate(self, group: str) -> None:
        """See Hierarchy. Hands down those of our controllers that the machine has for this version."""
        (folder,) = self.folders(group)
        path = f"{folder}/cgroup.subtree_control"
        missing = self._controllers - files.words(path)
        if missing:
            files.write(path, " ".join(f"+{controller}" for controller in sorted(missing)))

    def load(self, group: str) -> Load:
        """See Hierarchy. Only version 1 says whether a group is out of memory right now."""
        (folder,) = self.folders(group)
        os.stat(folder)
        throttling = files.counters(f"{folder}/cpu.stat")
        throttled = throttling.get("throttled_usec")
        events = files.counters(f"{folder}/memory.events")
        return Load(
            path=group,
            seconds=time.monotonic(),
            memory_bytes=files.number(f"{folder}/memory.current"),
            anon_bytes=files.counters(f"{folder}/memory.stat").get("anon"),
            limit_bytes=files.number(f"{folder}/memory.max"),
            throttled_seconds=None if throttled is None else throttled / _MICROSECONDS,
            throttled_count=throttling.get("nr_throttled"),
            memory_pressure=files.pressure(f"{folder}/memory.pressure"),
            io_pressure=files.pressure(f"{folder}/io.pressure"),
            cpu_pressure=files.pressure(f"{folder}/cpu.pressure"),
            oom_kills=events.get("oom_kill"),
            memory_high_events=events.get("high"),
            memory_max_events=events.get("max"),
        )

    def _settings(self, group: str, limits: Limits) -> Iterator[tuple[str, str]]:
        (folder,) = self.folders(group)
        if limits.memory_bytes > 0:
            yield f"{folder}/memory.max", str(limits.memory_bytes)
        if limits.cpu_shares > 0:
            yield f"{folder}/cpu.weight", str(weight(limits.cpu_shares))
        if limits.cpu_quota_us > 0:
            yield f"{folder}/cpu.max", f"{limits.cpu_quota_us} {PERIOD_US}"


def weight(shares: int) -> int:
    """The weight (1 to 10,000) that stands for CPU shares (2 to 262,144), as container run times map them."""
    within = min(max(shares, _MIN_SHARES), _MAX_SHARES)
    return 1 + (within - _MIN_SHARES) * (_MAX_WEIGHT - 1) // (_MAX_SHARES - _MIN_SHARES)
