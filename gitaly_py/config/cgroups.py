"""`[cgroups]`: control groups for git processes (daemon.md 6.7)."""

from __future__ import annotations

from pydantic import NonNegativeInt

from gitaly_py.config.section import Section, setting, table


class Repositories(Section):
    """`[cgroups.repositories]`."""

    count: NonNegativeInt = setting(0, "Control groups for repositories; 0 disables the feature.")
    max_cgroups_per_repo: NonNegativeInt = setting(0, "Control groups one repository may use; 0 is 1.")
    memory_bytes: int = setting(0, "Memory of one group in bytes; 0 is no limit.")
    cpu_shares: NonNegativeInt = setting(0, "CPU shares of one group; 0 leaves the system's default.")
    cpu_quota_us: int = setting(0, "CPU time of one group, microseconds each 100 ms; 0 is no limit.")


class FormerMemory(Section):
    """`[cgroups.memory]` of before version 15."""

    enabled: bool = setting(False, "Deprecated: whether `limit` counts.")
    limit: int = setting(0, "Deprecated: see `cgroups.repositories.memory_bytes`.")


class FormerCpu(Section):
    """`[cgroups.cpu]` of before version 15."""

    enabled: bool = setting(False, "Deprecated: whether `shares` counts.")
    shares: NonNegativeInt = setting(0, "Deprecated: see `cgroups.repositories.cpu_shares`.")


class Cgroups(Section):
    """`[cgroups]`."""

    mountpoint: str = setting("/sys/fs/cgroup", "Where control groups are mounted.")
    hierarchy_root: str = setting("gitaly", "Group below it that belongs to this daemon.")
    memory_bytes: int = setting(0, "Memory of all git processes together in bytes; 0 is no limit.")
    cpu_shares: NonNegativeInt = setting(0, "CPU shares of all together; 0 leaves the system's default.")
    cpu_quota_us: int = setting(0, "CPU time of all together, microseconds each 100 ms; 0 is no limit.")
    metrics_enabled: bool = setting(False, "Accepted for compatibility; has no effect.")
    repositories: Repositories = table(Repositories, "Limits of a repository's group.")
    count: NonNegativeInt = setting(0, "Deprecated: see `cgroups.repositories.count`.")
    memory: FormerMemory = table(FormerMemory, "Deprecated: see `cgroups.repositories`.")
    cpu: FormerCpu = table(FormerCpu, "Deprecated: see `cgroups.repositories`.")
