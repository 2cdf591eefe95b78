"""CommitService: importing the modules registers their handlers."""

from gitaly_py.services.commit import (
    counting,
    entry,
    everything,
    existence,
    find,
    history,
    listing,
    named,
    searching,
    trees,
)
from gitaly_py.services.commit.service import service

__all__ = [
    "counting",
    "entry",
    "everything",
    "existence",
    "find",
    "history",
    "listing",
    "named",
    "searching",
    "service",
    "trees",
]
