"""CommitService: importing the modules registers their handlers."""

from gitaly_py.services.commit import (
    blame,
    counting,
    entry,
    everything,
    existence,
    files,
    find,
    history,
    languages,
    last_commits,
    listing,
    messages,
    named,
    searching,
    signatures,
    stats,
    trees,
)
from gitaly_py.services.commit.service import service

__all__ = [
    "blame",
    "counting",
    "entry",
    "everything",
    "existence",
    "files",
    "find",
    "history",
    "languages",
    "last_commits",
    "listing",
    "messages",
    "named",
    "searching",
    "service",
    "signatures",
    "stats",
    "trees",
]
