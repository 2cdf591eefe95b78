"""BlobService: importing the modules registers their handlers."""

from gitaly_py.services.blob import reading
from gitaly_py.services.blob.service import service

__all__ = ["reading", "service"]
