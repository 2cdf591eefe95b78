"""Sections of Gitaly's write-ahead log and cluster: read and checked, without effect in this daemon."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, NonNegativeInt

from gitaly_py.config.section import Section, setting


class Transactions(Section):
    """`[transactions]`."""

    enabled: bool = setting(False, "Use a write-ahead log. Not implemented.")
    max_inactive_partitions: Annotated[NonNegativeInt, AfterValidator(lambda n: n or 100)] = setting(
        100, "Idle partitions kept in memory; 0 is the default. Not implemented."
    )
    recover_pending_wal: bool = setting(False, "Apply pending log entries at start. Not implemented.")


class Raft(Section):
    """`[raft]`."""

    enabled: bool = setting(False, "Replicate with Raft; needs transactions. Not implemented.")
    cluster_id: str = setting("", "UUID of the cluster.")
    rtt_milliseconds: int = setting(200, "Time a message takes between members, in milliseconds.")
    election_rtt: int = setting(20, "Message times without a leader until an election.")
    heartbeat_rtt: int = setting(2, "Message times between heartbeats.")
    proposal_conf_change_timeout: int = setting(5000, "Time a membership change may take, in milliseconds.")
    snapshot_dir: str = setting("", "Absolute path of an existing directory for snapshots.")


class Offloading(Section):
    """`[offloading]`."""

    enabled: bool = setting(False, "Move objects of idle repositories to object storage. Not implemented.")
    cache_root: str = setting("", "Absolute path of an existing directory for objects fetched back.")
    go_cloud_url: str = setting("", "Where the objects go.")


class PoolMetadata(Section):
    """`[pool_metadata]`."""

    database_path: str = setting("", "SQLite file with the relations of object pools. Not implemented.")
