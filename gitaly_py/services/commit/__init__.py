"""CommitService: importing the modules registers their handlers."""

from gitaly_py.services.commit import counting, entry, find, languages, listing, trees
from gitaly_py.services.commit.service import service

__all__ = ["counting", "entry", "find", "languages", "listing", "service", "trees"]
