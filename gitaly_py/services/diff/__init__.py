"""DiffService: importing the modules registers their handlers."""

from gitaly_py.services.diff import (
    blobs,
    changed_paths,
    commit_delta,
    commit_diff,
    patch_id,
    range_diff,
    raw,
    stats,
)
from gitaly_py.services.diff.service import service

__all__ = [
    "blobs",
    "changed_paths",
    "commit_delta",
    "commit_diff",
    "patch_id",
    "range_diff",
    "raw",
    "service",
    "stats",
]
