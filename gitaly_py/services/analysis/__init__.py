"""AnalysisService: importing the modules registers their handlers."""

from gitaly_py.services.analysis import blobs
from gitaly_py.services.analysis.service import service

__all__ = ["blobs", "service"]
