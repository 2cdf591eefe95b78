"""The command `gitaly-py`: one module a sub-command, imported when it is used (daemon.md 1.5)."""

from gitaly_py.cli.command import main

__all__ = ["main"]
