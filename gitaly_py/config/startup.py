"""Start-up validation: the first fault that keeps the daemon from starting (daemon.md 1.2)."""

from __future__ import annotations

import os
from collections.abc import Callable

from gitaly_py.config import git_keys
from gitaly_py.config.errors import InvalidConfig
from gitaly_py.config.logs import FORMATS
from gitaly_py.config.problems import dotted
from gitaly_py.config.rpc_validation import rpc
from gitaly_py.config.tree import Config
from gitaly_py.config.validation import DAY, NO_TIME, addresses, storages, tls


def check_startup(config: Config) -> None:
    """Raises InvalidConfig for the first fault, in the order of `_CHECKS`."""
    for check in _CHECKS:
        check(config)


def _listeners(config: Config) -> None:
    if not (config.socket_path or config.listen_addr or config.tls_listen_addr):
        raise InvalidConfig("at least one of socket_path, listen_addr or tls_listen_addr must be set")
    for problem in addresses(config):
        raise InvalidConfig(f"{dotted(problem.key)}: {problem.message}")


def _storages(config: Config) -> None:
    for problem in storages(config.storage, may_share_path=True):
        raise InvalidConfig(f"{dotted(('storage', *problem.key))}: {problem.message}")


def _git_keys(config: Config) -> None:
    for pair in config.git.config:
        if fault := git_keys.fault_of(pair.key):
            raise InvalidConfig(f'invalid configuration key "{pair.key}": {fault}')


def _gitlab_secret(config: Config) -> None:
    if config.gitlab.secret or config.gitlab.secret_file:
        return
    if not config.gitlab_shell.dir:
        raise InvalidConfig("GitLab secret not configured")
    _directory("gitlab-shell.dir", config.gitlab_shell.dir)


def _auth(config: Config) -> None:
    if config.auth.token and config.auth.token_file:
        raise InvalidConfig("token and token_file are mutually exclusive")


def _bin_dir(config: Config) -> None:
    if not config.bin_dir:
        raise InvalidConfig("bin_dir: is not set")
    _directory("bin_dir", config.bin_dir)


def _runtime_dir(config: Config) -> None:
    if config.runtime_dir:
        _directory("runtime_dir", config.runtime_dir)


def _directory(key: str, path: str) -> None:
    if not os.path.exists(path):
        raise InvalidConfig(f'{key}: path doesn\'t exist: "{path}"')
    if not os.path.isdir(path):
        raise InvalidConfig(f'{key}: not a directory: "{path}"')


def _daily_maintenance(config: Config) -> None:
    maintenance = config.daily_maintenance
    if maintenance.disabled:
        return
    said = "daily maintenance specified"
    if not 0 <= maintenance.start_hour <= 23:
        raise InvalidConfig(f"{said} hour '{maintenance.start_hour}' outside range (0-23)")
    if not 0 <= maintenance.start_minute <= 59:
        raise InvalidConfig(f"{said} minute '{maintenance.start_minute}' outside range (0-59)")
    if not NO_TIME <= maintenance.duration <= DAY:
        raise InvalidConfig(f"{said} duration {maintenance.duration} must be less than 24 hours")
    known = {storage.name for storage in config.storage}
    for name in maintenance.storages:
        if name not in known:
            raise InvalidConfig(f'{said} storage "{name}" does not exist in configuration')


def _cgroups(config: Config) -> None:
    parent, repositories = config.cgroups, config.cgroups.repositories
    limits = (
        ("memory limit", repositories.memory_bytes, parent.memory_bytes),
        ("cpu shares", repositories.cpu_shares, parent.cpu_shares),
        ("cpu quota", repositories.cpu_quota_us, parent.cpu_quota_us),
    )
    for name, own, bound in limits:
        if 0 < bound < own:
            raise InvalidConfig(f"cgroups.repositories: {name} cannot exceed parent")


def _pack_objects_cache(config: Config) -> None:
    cache = config.pack_objects_cache
    if not cache.enabled:
        return
    if cache.max_age < 0:
        raise InvalidConfig("pack_objects_cache.max_age cannot be negative")
    if not cache.dir:
        raise InvalidConfig("pack_objects_cache: cannot pick default cache directory: no storages")
    if not os.path.isabs(cache.dir):
        raise InvalidConfig("pack_objects_cache: storage directory must be absolute path")
    if any(storage.path.startswith(cache.dir) for storage in config.storage):
        raise InvalidConfig(
            "pack_objects_cache: the specified cache directory "
            "cannot be the same or a parent of the storage path"
        )


def _tls(config: Config) -> None:
    if config.tls_listen_addr:
        for problem in tls(config.tls, listens=True):
            raise InvalidConfig(f"{dotted(('tls', *problem.key))}: {problem.message}")


def _logging(config: Config) -> None:
    if config.logging.format not in ("", *FORMATS):
        raise InvalidConfig(f'invalid logger format "{config.logging.format}"')


def _process(config: Config) -> None:
    if config.workers.count < 0:
        raise InvalidConfig("workers.count cannot be negative")
    for problem in rpc(config.rpc):
        raise InvalidConfig(f"rpc.{problem.key[0]}: {problem.message}")


_CHECKS: tuple[Callable[[Config], None], ...] = (
    _listeners,
    _storages,
    _git_keys,
    _gitlab_secret,
    _auth,
    _bin_dir,
    _runtime_dir,
    _daily_maintenance,
    _cgroups,
    _pack_objects_cache,
    _tls,
    _logging,
    _process,
)
