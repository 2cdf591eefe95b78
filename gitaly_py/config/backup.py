"""`[backup]` and `[bundle_uri]`: object storage."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from gitaly_py.config.section import Section, setting


class Backup(Section):
    """`[backup]`."""

    go_cloud_url: str = setting("", "Where backups go, such as `s3://bucket`. Not implemented.")
    wal_backup_go_cloud_url: str = setting("", "Where write-ahead logs go. Not implemented.")
    wal_backup_worker_count: Annotated[int, AfterValidator(lambda n: n or 1)] = setting(
        1, "Workers that copy write-ahead logs; 0 is 1. Not implemented."
    )
    buffer_size: int = setting(
        0, "Bytes buffered for an upload; 0 is the provider's choice. Not implemented."
    )


class BundleUri(Section):
    """`[bundle_uri]`."""

    go_cloud_url: str = setting("", "Where bundles for clones go. Not implemented.")
