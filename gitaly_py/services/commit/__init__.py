"""CommitService: importing the modules registers their handlers."""

from gitaly_py.services.commit import (
    blame,
    counting,
    entry,
    files,
    find,
    last_commits,
    listing,
    messages,
    signatures,
    stats,
    trees,
)
from gitaly_py.services.commit.service import service

__all__ = [
    "blame",
    "counting",
    "entry",
    "files",
    "find",
    "last_commits",
    "listing",
    "messages",
    "service",
    "signatures",
    "stats",
    "trees",
]
