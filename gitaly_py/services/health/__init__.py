"""grpc.health.v1.Health: open to everyone, never needs a token (daemon.md 2.4)."""

from gitaly_py.services.health.check import service

__all__ = ["service"]
