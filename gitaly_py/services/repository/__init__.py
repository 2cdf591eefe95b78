"""RepositoryService: repositories as a whole (repository.md, part B)."""

from gitaly_py.services.repository import (
    archive,
    branches,
    checksum,
    existence,
    facts,
    merge_base,
    raw_changes,
    write_ref,
)
from gitaly_py.services.repository.service import service

__all__ = [
    "archive",
    "branches",
    "checksum",
    "existence",
    "facts",
    "merge_base",
    "raw_changes",
    "service",
    "write_ref",
]
