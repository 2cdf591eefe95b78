"""The whole configuration: top-level keys and one field a section."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import PrivateAttr

from gitaly_py.config.auth import Auth
from gitaly_py.config.backup import Backup, BundleUri
from gitaly_py.config.cgroups import Cgroups
from gitaly_py.config.clustering import Offloading, PoolMetadata, Raft, Transactions
from gitaly_py.config.duration import Duration, zero_means
from gitaly_py.config.git import GitSection
from gitaly_py.config.gitlab import Gitlab, GitlabShell
from gitaly_py.config.hooks import Hooks
from gitaly_py.config.limits import AdaptiveLimiting, Concurrency, LoadShedder, PackObjectsLimiting
from gitaly_py.config.logs import Logging
from gitaly_py.config.maintenance import DailyMaintenance
from gitaly_py.config.process import Workers
from gitaly_py.config.prometheus import Prometheus
from gitaly_py.config.rpc import Rpc
from gitaly_py.config.section import Section, setting, several, table
from gitaly_py.config.storages import Storage
from gitaly_py.config.streamcache import ArchiveCache, PackObjectsCache
from gitaly_py.config.timeout import Timeout
from gitaly_py.config.tls import Tls


class UnknownKey(NamedTuple):
    """A key of the file that means nothing; `nearest` is the known key it may have been meant for."""

    key: str
    nearest: str | None


class Config(Section):
    """A configuration as daemon.md 1.3 lists its keys; made by `loading.load`, defaults filled in."""

    socket_path: str = setting("", "Unix socket to listen at.")
    listen_addr: str = setting("", "TCP address to listen at, `host:port`.")
    tls_listen_addr: str = setting("", "TCP address to listen at with TLS, `host:port`.")
    prometheus_listen_addr: str = setting("", "TCP address of the metrics, `host:port`; empty has none.")
    bin_dir: str = setting("", "Required: existing directory with the helper programs.")
    runtime_dir: str = setting("", "Existing directory for the daemon's sockets and hooks; empty makes one.")
    config_command: str = setting("", "Executable whose output, a JSON object, is merged over this file.")
    graceful_restart_timeout: Annotated[Duration, zero_means("1m")] = setting(
        Duration.parse("1m"), "Time that running calls get when the daemon stops; 0 is the default."
    )
    use_libp2p_yamux: bool = setting(False, "Accepted for compatibility; has no effect.")
    storage: tuple[Storage, ...] = several("Directories that hold repositories; at least one.")
    git: GitSection = table(GitSection, "How git is run.")
    logging: Logging = table(Logging, "What is logged, and in which form.")
    prometheus: Prometheus = table(Prometheus, "The metrics.")
    auth: Auth = table(Auth, "The secret that clients prove to know.")
    tls: Tls = table(Tls, "The certificate of the TLS listener.")
    gitlab: Gitlab = table(Gitlab, "The Rails application.")
    gitlab_shell: GitlabShell = table(GitlabShell, "Deprecated.", key="gitlab-shell")
    hooks: Hooks = table(Hooks, "Hooks of the installation.")
    daily_maintenance: DailyMaintenance = table(
        DailyMaintenance,
        "When all repositories are optimised; by default 10 minutes from 12:00. Not implemented.",
    )
    concurrency: tuple[Concurrency, ...] = several(
        "Limits of single RPCs, for each repository; the last entry for an RPC wins."
    )
    pack_objects_limiting: PackObjectsLimiting = table(
        PackObjectsLimiting, "The limit of pack generation, for each client address."
    )
    adaptive_limiting: AdaptiveLimiting = table(AdaptiveLimiting, "What makes adaptive limits shrink.")
    load_shedder: LoadShedder = table(LoadShedder, "What happens under critical pressure.")
    cgroups: Cgroups = table(Cgroups, "Control groups for git processes.")
    pack_objects_cache: PackObjectsCache = table(PackObjectsCache, "Generated packs kept on disk.")
    archive_cache: ArchiveCache = table(ArchiveCache, "Generated archives kept on disk. Not implemented.")
    backup: Backup = table(Backup, "Where backups go.")
    bundle_uri: BundleUri = table(BundleUri, "Where bundles for clones go.")
    timeout: Timeout = table(Timeout, "How long clients may take.")
    transactions: Transactions = table(Transactions, "The write-ahead log.")
    raft: Raft = table(Raft, "Replication with Raft.")
    offloading: Offloading = table(Offloading, "Objects of idle repositories.")
    pool_metadata: PoolMetadata = table(PoolMetadata, "Relations of object pools.")
    workers: Workers = table(Workers, "Processes that serve calls. Not known to Gitaly.")
    rpc: Rpc = table(
        Rpc,
        "What speaks gRPC, and what one connection may cost. Not known to Gitaly. grpcio heeds "
        "`max_message_size`, `preface_timeout`, `keepalive_min_interval` and `max_ping_strikes` only.",
    )

    _unknown_keys: tuple[UnknownKey, ...] = PrivateAttr(())

    @property
    def unknown_keys(self) -> tuple[UnknownKey, ...]:
        """Keys of the source that mean nothing, in its order."""
        return self._unknown_keys

    def with_unknown_keys(self, keys: tuple[UnknownKey, ...]) -> Config:
        """This configuration, with the keys of its source that mean nothing."""
        config = self.model_copy()
        config._unknown_keys = keys  # noqa: SLF001 - its own class
        return config
