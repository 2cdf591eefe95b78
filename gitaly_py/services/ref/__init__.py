"""gitaly.RefService: branches, tags and all other references (ref-blob.md 5)."""

from gitaly_py.services.ref import (
    all_branches,
    branches,
    by_oid,
    containing,
    find_tag,
    lookup,
    references,
    tag_objects,
    tags,
    updating,
)
from gitaly_py.services.ref.service import service

__all__ = [
    "all_branches",
    "branches",
    "by_oid",
    "containing",
    "find_tag",
    "lookup",
    "references",
    "service",
    "tag_objects",
    "tags",
    "updating",
]
