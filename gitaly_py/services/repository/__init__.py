"""RepositoryService: repositories as a whole (repository.md, part B)."""

from gitaly_py.services.repository import (
    archive,
    branches,
    checksum,
    existence,
    facts,
    licenses,
    merge_base,
    write_ref,
)
from gitaly_py.services.repository.service import service

__all__ = [
    "archive",
    "branches",
    "checksum",
    "existence",
    "facts",
    "licenses",
    "merge_base",
    "service",
    "write_ref",
]
