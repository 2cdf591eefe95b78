"""Full validation: every fault, in the order of `configuration validate` (daemon.md 1.2, 1.3, 1.5)."""

from __future__ import annotations

import importlib
import os
import stat
import uuid
from collections.abc import Iterator, Sequence

from gitaly_py.config import git_keys
from gitaly_py.config.auth import Auth
from gitaly_py.config.backup import Backup
from gitaly_py.config.cgroups import Cgroups
from gitaly_py.config.clustering import Offloading, Raft
from gitaly_py.config.duration import Duration
from gitaly_py.config.gitlab import Gitlab, HttpSettings
from gitaly_py.config.limit_validation import adaptive_limiting, concurrency, pack_objects_limiting
from gitaly_py.config.logs import FORMATS, LEVELS, Logging
from gitaly_py.config.maintenance import DailyMaintenance
from gitaly_py.config.problems import (
    Problem,
    absolute,
    ascending,
    at,
    at_least,
    directory,
    entry,
    file,
    greater,
    in_range,
    listen_address,
    not_blank,
    not_empty,
    one_of,
    quoted,
    under,
    url,
)
from gitaly_py.config.prometheus import Prometheus
from gitaly_py.config.rpc_validation import rpc
from gitaly_py.config.storages import Storage
from gitaly_py.config.streamcache import PackObjectsCache
from gitaly_py.config.tls import Tls
from gitaly_py.config.tree import Config

NO_TIME = Duration(0)
DAY = Duration.parse("24h")
_TOKEN_FILE_MODES = (0o600, 0o400)


def validate(config: Config) -> list[Problem]:
    """Everything that is wrong with `config`."""
    return [
        *_listeners(config),
        *at("bin_dir", directory(config.bin_dir)),
        *at("runtime_dir", directory(config.runtime_dir) if config.runtime_dir else None),
        *_git(config),
        *under("storage", storages(config.storage)),
        *under("prometheus", _prometheus(config.prometheus)),
        *under("auth", _auth(config.auth)),
        *under("tls", tls(config.tls, listens=bool(config.tls_listen_addr))),
        *under("gitlab", _gitlab(config.gitlab)),
        *at(("gitlab-shell", "dir"), directory(config.gitlab_shell.dir) if config.gitlab_shell.dir else None),
        *at("graceful_restart_timeout", at_least(config.graceful_restart_timeout, NO_TIME)),
        *under("daily_maintenance", _daily_maintenance(config.daily_maintenance, config.storage)),
        *under(("cgroups", "repositories"), _cgroups(config.cgroups)),
        *under("concurrency", concurrency(config.concurrency)),
        *under("pack_objects_cache", _pack_objects_cache(config.pack_objects_cache)),
        *under("pack_objects_limiting", pack_objects_limiting(config.pack_objects_limiting)),
        *under("adaptive_limiting", adaptive_limiting(config.adaptive_limiting)),
        *under("backup", _backup(config.backup)),
        *under("raft", _raft(config.raft, transactions=config.transactions.enabled)),
        *under("offloading", _offloading(config.offloading)),
        *under("logging", _logging(config.logging)),
        *at(("workers", "count"), at_least(config.workers.count, 0)),
        *under("rpc", rpc(config.rpc)),
    ]


def storages(configured: Sequence[Storage], *, may_share_path: bool = False) -> Iterator[Problem]:
    """Faults of `[[storage]]`. Storages of one path are an error here, but no reason not to start."""
    if not configured:
        yield Problem((), "not set")
    for index, storage in enumerate(configured):
        yield from under(entry(index), _storage(storage))
        for earlier in configured[:index]:
            yield from under(entry(index), _storage_conflict(storage, earlier, may_share_path))


def _storage(storage: Storage) -> Iterator[Problem]:
    yield from at("name", not_empty(storage.name))
    yield from at("path", directory(storage.path))


def _storage_conflict(storage: Storage, earlier: Storage, may_share_path: bool) -> Iterator[Problem]:
    path, other = storage.path, earlier.path
    if storage.name == earlier.name:
        yield Problem(("name",), f"not unique: {quoted(storage.name)}")
    elif path == other:
        if not may_share_path:
            yield Problem(("path",), f"not unique: {quoted(path)}")
    elif _nested(path, other):
        yield Problem(("path",), f"can't nest: {quoted(path)} and {quoted(other)}")


def _nested(path: str, other: str) -> bool:
    """Whether one is a prefix of the other as text, siblings such as /a/repos and /a/repos2 excepted."""
    is_prefix = path.startswith(other) or other.startswith(path)
    return bool(path and other) and is_prefix and os.path.dirname(path) != os.path.dirname(other)


def _listeners(config: Config) -> Iterator[Problem]:
    if not (config.socket_path or config.listen_addr or config.tls_listen_addr):
        yield Problem((), 'none of "socket_path", "listen_addr" or "tls_listen_addr" is set')
    yield from addresses(config)


def addresses(config: Config) -> Iterator[Problem]:
    """Faults of the TCP addresses that are set; each of them keeps the daemon from starting."""
    for key in ("listen_addr", "tls_listen_addr", "prometheus_listen_addr"):
        address = getattr(config, key)
        yield from at(key, listen_address(address) if address else None)


def _git(config: Config) -> Iterator[Problem]:
    for pair in config.git.config:
        yield from at(("git", "config", "key"), git_keys.fault_of(pair.key))


def _prometheus(prometheus: Prometheus) -> Iterator[Problem]:
    yield from at("scrape_timeout", at_least(prometheus.scrape_timeout, NO_TIME))
    yield from at("grpc_latency_buckets", ascending(prometheus.grpc_latency_buckets))


def _auth(auth: Auth) -> Iterator[Problem]:
    if not auth.token_file:
        return
    if auth.token:
        yield Problem(("token", "token_file"), "token and token_file are mutually exclusive")
        return
    missing = file(auth.token_file)
    yield from at("token_file", missing or _mode_fault(auth.token_file))


def _mode_fault(path: str) -> str | None:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode in _TOKEN_FILE_MODES:
        return None
    return f"file permission {mode:04o} is too permissive, should be 0600 or 0400"


def tls(section: Tls, *, listens: bool) -> Iterator[Problem]:
    """Faults of `[tls]`. listens: there is a listener that needs the certificate."""
    if not section.is_set:
        yield from at("certificate_path", not_empty("") if listens else None)
        return
    if section.key and section.key_path:
        yield Problem(("key_path", "key"), "key_path and key cannot both be set")
        return
    missing = [*at("certificate_path", file(section.certificate_path))]
    if not section.key:
        missing.extend(at("key_path", file(section.key_path)))
    if missing:
        yield from missing
    elif fault := importlib.import_module("gitaly_py.config.certificates").pair_fault(section):
        yield Problem((fault[0],), fault[1])


def _logging(logging: Logging) -> Iterator[Problem]:
    yield from at("format", one_of(logging.format, FORMATS) if logging.format else None)
    if logging.level and logging.level.lower() not in LEVELS:
        yield from at("level", one_of(logging.level, LEVELS))


def _gitlab(gitlab: Gitlab) -> Iterator[Problem]:
    yield from at("url", not_blank(gitlab.url))
    if gitlab.secret and gitlab.secret_file:
        yield Problem(("secret", "secret_file"), "ambiguous secret configuration")
    elif not gitlab.secret:
        yield from at("secret_file", file(gitlab.secret_file))
    yield from under("http-settings", _http_settings(gitlab.http_settings))


def _http_settings(http: HttpSettings) -> Iterator[Problem]:
    if http.user or http.password:
        yield from at("user", not_blank(http.user))
        yield from at("password", not_blank(http.password))
    yield from at("ca_file", file(http.ca_file) if http.ca_file else None)
    yield from at("ca_path", directory(http.ca_path) if http.ca_path else None)


def _daily_maintenance(maintenance: DailyMaintenance, configured: Sequence[Storage]) -> Iterator[Problem]:
    if maintenance.disabled:
        return
    yield from at("start_hour", in_range(maintenance.start_hour, 0, 23))
    yield from at("start_minute", in_range(maintenance.start_minute, 0, 59))
    yield from at("duration", in_range(maintenance.duration, NO_TIME, DAY))
    known = {storage.name for storage in configured}
    for index, name in enumerate(maintenance.storages):
        yield from at(("storages", entry(index)), None if name in known else f"doesn't exist: {quoted(name)}")


def _cgroups(cgroups: Cgroups) -> Iterator[Problem]:
    repositories = cgroups.repositories
    yield from at("max_cgroups_per_repo", in_range(repositories.max_cgroups_per_repo, 0, repositories.count))
    for key in ("memory_bytes", "cpu_shares", "cpu_quota_us"):
        parent = getattr(cgroups, key)
        yield from at(key, in_range(getattr(repositories, key), 0, parent) if parent > 0 else None)


def _pack_objects_cache(cache: PackObjectsCache) -> Iterator[Problem]:
    if cache.enabled:
        yield from at("dir", absolute(cache.dir))
        yield from at("max_age", at_least(cache.max_age, NO_TIME))


def _backup(backup: Backup) -> Iterator[Problem]:
    yield from at("go_cloud_url", url(backup.go_cloud_url))
    yield from at("wal_backup_go_cloud_url", url(backup.wal_backup_go_cloud_url))


def _raft(raft: Raft, *, transactions: bool) -> Iterator[Problem]:
    if not raft.enabled:
        return
    yield from at("enabled", None if transactions else "transactions must be enabled to enable Raft")
    yield from at("cluster_id", not_empty(raft.cluster_id) or _uuid_fault(raft.cluster_id))
    for key in ("rtt_milliseconds", "election_rtt", "heartbeat_rtt", "proposal_conf_change_timeout"):
        yield from at(key, greater(getattr(raft, key), 0))
    if raft.snapshot_dir:
        yield from at("snapshot_dir", absolute(raft.snapshot_dir) or directory(raft.snapshot_dir))


def _uuid_fault(text: str) -> str | None:
    try:
        uuid.UUID(text)
    except ValueError:
        return f"invalid UUID: {quoted(text)}"
    return None


def _offloading(offloading: Offloading) -> Iterator[Problem]:
    if not offloading.enabled:
        return
    if offloading.cache_root:
        yield from at("cache_root", absolute(offloading.cache_root) or directory(offloading.cache_root))
    yield from at("go_cloud_url", not_blank(offloading.go_cloud_url) or url(offloading.go_cloud_url))
