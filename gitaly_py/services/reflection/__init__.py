"""Server reflection, in both of its versions, whose messages are the same on the wire (daemon.md 2.4)."""

from gitaly_py.services.reflection.info import services

__all__ = ["services"]
