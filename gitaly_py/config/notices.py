"""What an operator should be told at start although it does not keep the daemon from starting."""

from __future__ import annotations

from collections.abc import Iterator

from gitaly_py.config.tree import Config, UnknownKey
from gitaly_py.config.validation import validate

_VALIDATE = "gitaly-py configuration validate"


def notices(config: Config) -> list[str]:
    """Warnings about `config`, each to be logged once at start."""
    return [*unknown_key_notices(config), *_without_effect(config), *_doubtful(config)]


def unknown_key_notices(config: Config) -> list[str]:
    """One line for every key of the file that means nothing."""
    return [_unknown(unknown) for unknown in config.unknown_keys]


def _unknown(unknown: UnknownKey) -> str:
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
    }
    for key, asked_for in features.items():
        if asked_for:
            yield f"{key} is set, but this daemon does not implement it"


def _doubtful(config: Config) -> Iterator[str]:
    repositories = config.cgroups.repositories
    if config.auth.transitioning and config.auth.secret:
        yield "auth.transitioning is set: requests pass whatever their token"
    if not repositories.count and (repositories.memory_bytes or repositories.cpu_shares):
        yield "cgroups.repositories has limits, but its count is 0, so control groups are not used"
    if validate(config):
        yield f"the configuration is not valid in all parts, run `{_VALIDATE} < <config>` to see why"
