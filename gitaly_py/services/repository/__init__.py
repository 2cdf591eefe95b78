"""RepositoryService: repositories as a whole (repository.md, part B)."""

from gitaly_py.services.repository import (
    archive,
    branches,
    bundles,
    checksum,
    custom_hooks,
    existence,
    facts,
    merge_base,
    snapshot,
    write_ref,
)
from gitaly_py.services.repository.service import service

__all__ = [
    "archive",
    "branches",
    "bundles",
    "checksum",
    "custom_hooks",
    "existence",
    "facts",
    "merge_base",
    "service",
    "snapshot",
    "write_ref",
]
