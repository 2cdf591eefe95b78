"""Control groups of version 1: a hierarchy a controller."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

from gitaly_py.git.cgroups import files
from gitaly_py.git.cgroups.hierarchy import PERIOD_US, Hierarchy, Limits
from gitaly_py.limits.load import Load

_NANOSECONDS: Final = 1_000_000_000
_UNLIMITED: Final = 1 << 62
"""The kernel shows the lack of a limit as the greatest number of whole pages."""


class Version1(Hierarchy):
    """`<mountpoint>/memory` and `<mountpoint>/cpu`."""

    def __init__(self, mountpoint: str) -> None:
        super().__init__([f"{mountpoint}/memory", f"{mountpoint}/cpu"])

    def load(self, group: str) -> Load:
        """See Hierarchy. There is no pressure of a group in this version."""
        memory, cpu = self.folders(group)
        for folder in (memory, cpu):
            os.stat(folder)
        limit = files.number(f"{memory}/memory.limit_in_bytes")
        out_of_memory = files.counters(f"{memory}/memory.oom_control")
        throttling = files.counters(f"{cpu}/cpu.stat")
        throttled = throttling.get("throttled_time")
        return Load(
            path=group,
            seconds=time.monotonic(),
            memory_bytes=files.number(f"{memory}/memory.usage_in_bytes"),
            anon_bytes=files.counters(f"{memory}/memory.stat").get("total_rss"),
            limit_bytes=None if limit is None or limit >= _UNLIMITED else limit,
            under_oom=out_of_memory["under_oom"] != 0 if "under_oom" in out_of_memory else None,
            throttled_seconds=None if throttled is None else throttled / _NANOSECONDS,
            throttled_count=throttling.get("nr_throttled"),
            oom_kills=out_of_memory.get("oom_kill"),
        )

    def _settings(self, group: str, limits: Limits) -> Iterator[tuple[str, str]]:
        memory, cpu = self.folders(group)
        if limits.memory_bytes > 0:
            yield f"{memory}/memory.limit_in_bytes", str(limits.memory_bytes)
        if limits.cpu_shares > 0:
            yield f"{cpu}/cpu.shares", str(limits.cpu_shares)
        if limits.cpu_quota_us > 0:
            yield f"{cpu}/cpu.cfs_period_us", str(PERIOD_US)
            yield f"{cpu}/cpu.cfs_quota_us", str(limits.cpu_quota_us)
