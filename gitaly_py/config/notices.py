"""What an operator should be told at start although it does not keep the daemon from starting."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gitaly_py.config.defaults import unset_maintenance
from gitaly_py.config.prometheus import Prometheus
from gitaly_py.config.tree import Config, UnknownKey
from gitaly_py.config.validation import validate

_VALIDATE = "gitaly-py configuration validate"


def notices(config: Config) -> list[str]:
    """Warnings about `config` and the environment, each to be logged once at start."""
    unknown = [unknown_key_notice(key) for key in config.unknown_keys]
    return [*unknown, *_without_effect(config), *_needless(config), *_environment(), *_doubtful(config)]


def unknown_key_notice(unknown: UnknownKey) -> str:
    """What to say of a key of the file that means nothing."""
    hint = f', did you mean "{unknown.nearest}"?' if unknown.nearest else ""
    return f'configuration key "{unknown.key}" is unknown and ignored{hint}'


def _without_effect(config: Config) -> Iterator[str]:
    features = {
        "transactions.enabled": config.transactions.enabled,
        "raft.enabled": config.raft.enabled,
        "offloading.enabled": config.offloading.enabled,
        "load_shedder.enabled": config.load_shedder.enabled,
        "backup.wal_backup_go_cloud_url": config.backup.wal_backup_go_cloud_url,
        "pool_metadata.database_path": config.pool_metadata.database_path,
        "archive_cache.enabled": config.archive_cache.enabled,
        "backup.go_cloud_url": config.backup.go_cloud_url,
        "bundle_uri.go_cloud_url": config.bundle_uri.go_cloud_url,
        "daily_maintenance": _asks_for_maintenance(config),
        "git.committer_email": config.git.committer_email,
        "git.committer_name": config.git.committer_name,
        "logging.sentry_dsn": config.logging.sentry_dsn,
    }
    for key, asked_for in features.items():
        if asked_for:
            yield f"{key} is set, but this daemon does not implement it"


def _needless(config: Config) -> Iterator[str]:
    """Keys that are accepted since Gitaly has them, for something that this daemon does not need."""
    keys = {
        "use_libp2p_yamux": config.use_libp2p_yamux,
        "prometheus.scrape_timeout": config.prometheus.scrape_timeout != Prometheus().scrape_timeout,
        "hooks.packobjects_hook_max_proc": config.hooks.packobjects_hook_max_proc,
    }
    for key, is_set in keys.items():
        if is_set:
            yield f"{key} is set, but has no effect"


def _environment() -> Iterator[str]:
    """Variables that Gitaly heeds (daemon.md 1.6), unlike this daemon."""
    if os.environ.get("GITALY_USE_LIBP2P_YAMUX"):
        yield "GITALY_USE_LIBP2P_YAMUX is set, but has no effect"


def _asks_for_maintenance(config: Config) -> bool:
    maintenance = config.daily_maintenance
    is_set = maintenance != unset_maintenance(config.storage)
    return is_set and not maintenance.disabled and maintenance.duration > 0


def _doubtful(config: Config) -> Iterator[str]:
    repositories = config.cgroups.repositories
    if config.auth.transitioning and config.auth.secret:
        yield "auth.transitioning is set: requests pass whatever their token"
    if not repositories.count and (repositories.memory_bytes or repositories.cpu_shares):
        yield "cgroups.repositories has limits, but its count is 0, so control groups are not used"
    if config.git.signing_key:
        yield "git.signing_key is set: its signatures are known, but nothing is signed with it yet"
    if validate(config):
        yield f"the configuration is not valid in all parts, run `{_VALIDATE} < <config>` to see why"
