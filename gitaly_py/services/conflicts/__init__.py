"""ConflictsService: importing the modules registers their handlers."""

from gitaly_py.services.conflicts import listing
from gitaly_py.services.conflicts.service import service

__all__ = ["listing", "service"]
