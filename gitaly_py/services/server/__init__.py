"""ServerService: the daemon and its storages (repository.md, part C)."""

from gitaly_py.services.server import disk, info, readiness, signature
from gitaly_py.services.server.service import service

__all__ = ["disk", "info", "readiness", "service", "signature"]
