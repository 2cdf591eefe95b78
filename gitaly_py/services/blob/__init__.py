"""BlobService: importing the modules registers their handlers."""

from gitaly_py.services.blob import lfs, listing, reading
from gitaly_py.services.blob.service import service

__all__ = ["lfs", "listing", "reading", "service"]
