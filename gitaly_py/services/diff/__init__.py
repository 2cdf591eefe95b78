"""DiffService: importing the modules registers their handlers."""

from gitaly_py.services.diff import blobs, commit_delta, commit_diff, raw
from gitaly_py.services.diff.service import service

__all__ = ["blobs", "commit_delta", "commit_diff", "raw", "service"]
