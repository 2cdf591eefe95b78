"""DiffService: importing the modules registers their handlers."""

from gitaly_py.services.diff import changed_paths, patch_id, range_diff, stats
from gitaly_py.services.diff.service import service

__all__ = ["changed_paths", "patch_id", "range_diff", "service", "stats"]
