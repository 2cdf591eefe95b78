"""RepositoryService: repositories as a whole (repository.md, part B)."""

from gitaly_py.services.repository import (
    archive,
    branches,
    checksum,
    config,
    existence,
    facts,
    fast_export,
    file_attributes,
    fsck,
    info_attributes,
    merge_base,
    objects_size,
    raw_changes,
    search_content,
    search_names,
    write_ref,
)
from gitaly_py.services.repository.service import service

__all__ = [
    "archive",
    "branches",
    "checksum",
    "config",
    "existence",
    "facts",
    "fast_export",
    "file_attributes",
    "fsck",
    "info_attributes",
    "merge_base",
    "objects_size",
    "raw_changes",
    "search_content",
    "search_names",
    "service",
    "write_ref",
]
