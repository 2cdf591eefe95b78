"""Defaults that depend on other keys (daemon.md 1.1, 1.3); those that don't stand at their field."""

from __future__ import annotations

import os

from gitaly_py.config.cgroups import Cgroups
from gitaly_py.config.duration import Duration
from gitaly_py.config.gitlab import Gitlab, GitlabShell
from gitaly_py.config.hooks import Hooks
from gitaly_py.config.limits import AdaptiveLimiting, PackObjectsLimiting, Pressure, PsiPressure
from gitaly_py.config.maintenance import DailyMaintenance
from gitaly_py.config.storages import Storage
from gitaly_py.config.streamcache import ArchiveCache, PackObjectsCache, StreamCache
from gitaly_py.config.tree import Config

_SECRET_FILE = ".gitlab_shell_secret"
_QUEUE_SIZE = 200
_CACHE_AGE = Duration.parse("5m")
_MAINTENANCE = {"start_hour": 12, "start_minute": 0, "duration": Duration.parse("10m")}


def filled(config: Config) -> Config:
    """`config` with every default filled in and its paths cleaned up."""
    storages = tuple(Storage(name=storage.name, path=cleaned(storage.path)) for storage in config.storage)
    return config.model_copy(
        update={
            "bin_dir": _absolute(config.bin_dir),
            "runtime_dir": _absolute(config.runtime_dir),
            "storage": storages,
            "gitlab": _gitlab(config.gitlab, config.gitlab_shell),
            "hooks": _hooks(config.hooks, config.gitlab_shell),
            "daily_maintenance": _maintenance(config.daily_maintenance, storages),
            "pack_objects_limiting": _pack_objects_limiting(config.pack_objects_limiting),
            "adaptive_limiting": _adaptive_limiting(config.adaptive_limiting),
            "cgroups": _cgroups(config.cgroups),
            "pack_objects_cache": _cache(config.pack_objects_cache, storages),
            "archive_cache": _cache(config.archive_cache, storages),
        }
    )


def cleaned(path: str) -> str:
    """The lexically shortest form of `path`; an empty one stays empty, so that it can be refused."""
    if not path:
        return ""
    shortest = os.path.normpath(path)
    return shortest[1:] if shortest.startswith("//") else shortest


def _absolute(path: str) -> str:
    return cleaned(os.path.join(os.getcwd(), path)) if path else ""


def _gitlab(gitlab: Gitlab, shell: GitlabShell) -> Gitlab:
    if gitlab.secret or gitlab.secret_file:
        return gitlab
    return gitlab.model_copy(update={"secret_file": os.path.join(shell.dir, _SECRET_FILE)})


def _hooks(hooks: Hooks, shell: GitlabShell) -> Hooks:
    if hooks.custom_hooks_dir or not shell.dir:
        return hooks
    return hooks.model_copy(update={"custom_hooks_dir": os.path.join(shell.dir, "hooks")})


def unset_maintenance(storages: tuple[Storage, ...]) -> DailyMaintenance:
    """What `[daily_maintenance]` is when the file does not have it."""
    names = tuple(storage.name for storage in storages)
    return DailyMaintenance().model_copy(update={**_MAINTENANCE, "storages": names})


def _maintenance(maintenance: DailyMaintenance, storages: tuple[Storage, ...]) -> DailyMaintenance:
    return unset_maintenance(storages) if maintenance == DailyMaintenance() else maintenance


def _pack_objects_limiting(limiting: PackObjectsLimiting) -> PackObjectsLimiting:
    if limiting.max_queue_size:
        return limiting
    return limiting.model_copy(update={"max_queue_size": limiting.max_queue_length or _QUEUE_SIZE})


def _adaptive_limiting(limiting: AdaptiveLimiting) -> AdaptiveLimiting:
    psi = limiting.psi_pressure
    pressure = PsiPressure(
        memory=_pressure(psi.memory, 10, 20, 40),
        io=_pressure(psi.io, 10, 20, 40),
        cpu=_pressure(psi.cpu, 20, 25, 50),
    )
    return limiting.model_copy(update={"psi_pressure": pressure})


def _pressure(pressure: Pressure, warning: float, backoff: float, critical: float) -> Pressure:
    if not pressure.enabled:
        return pressure
    defaults = {"warning_threshold": warning, "backoff_threshold": backoff, "critical_threshold": critical}
    missing = {key: float(value) for key, value in defaults.items() if getattr(pressure, key) <= 0}
    return pressure.model_copy(update=missing)


def _cgroups(cgroups: Cgroups) -> Cgroups:
    repositories = cgroups.repositories
    if not repositories.count and cgroups.count:
        former = {
            "count": cgroups.count,
            "memory_bytes": cgroups.memory.limit if cgroups.memory.enabled else repositories.memory_bytes,
            "cpu_shares": cgroups.cpu.shares if cgroups.cpu.enabled else repositories.cpu_shares,
        }
        repositories = repositories.model_copy(update=former)
    if repositories.count and not repositories.max_cgroups_per_repo:
        repositories = repositories.model_copy(update={"max_cgroups_per_repo": 1})
    return cgroups.model_copy(update={"repositories": repositories})


def _cache(cache: StreamCache, storages: tuple[Storage, ...]) -> StreamCache:
    if not cache.enabled:
        return cache
    update: dict[str, object] = {"max_age": cache.max_age or _CACHE_AGE}
    if not cache.dir and storages:
        update["dir"] = os.path.join(storages[0].path, "+gitaly", _cache_folder(cache))
    return cache.model_copy(update=update)


def _cache_folder(cache: StreamCache) -> str:
    return {PackObjectsCache: "PackObjectsCache", ArchiveCache: "ArchiveCache"}[type(cache)]
