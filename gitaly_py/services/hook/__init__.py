"""HookService: what programs that git starts in the reference's deployments call (transport.md 7.2, 8.3)."""

from gitaly_py.services.hook import pack_objects
from gitaly_py.services.hook.service import service

__all__ = ["pack_objects", "service"]
