"""Errors of the pack cache.

PackError
├── AnswerEnded                 git failed, or complained, within an answer that was being given out
├── InvalidPackObjectsCommand   what was to be run is not `git pack-objects --stdout` with flags
├── PackFailed                  `git pack-objects` failed
├── PackLost                    the worker that made it has ended, or gave it up
└── PacksClosed                 the daemon stops
"""

from __future__ import annotations

from collections.abc import Sequence

from gitaly_py.git.errors import describe_status
from gitaly_py.git.wire.goquote import quote


class PackError(Exception):
    """Root of everything the pack cache raises."""


class AnswerEnded(PackError):
    """git ended with `status` and `stderr` when a part of its answer was given out. rest: what was not."""

    def __init__(self, status: int, stderr: bytes, rest: bytes) -> None:
        super().__init__(f"git upload-pack: stderr: {quote(stderr)} err: {describe_status(status)}")
        self.status = status
        self.stderr = stderr
        self.rest = rest


class InvalidPackObjectsCommand(PackError):
    """A command line that is not upload-pack's. The list is printed as Go does (transport.md 7.2)."""

    def __init__(self, args: Sequence[str], reason: str) -> None:
        super().__init__(f"invalid pack-objects command: [{' '.join(args)}]: {reason}")
        self.args_given = tuple(args)
        self.reason = reason


class PackFailed(PackError):
    """git ended with `status` (negative: the signal's number); `stderr` holds its last words (7.4)."""

    def __init__(self, status: int, stderr: bytes) -> None:
        super().__init__(f"git-pack-objects: stderr: {quote(stderr)} err: {describe_status(status)}")
        self.status = status
        self.stderr = stderr


class PackLost(PackError):
    """The pack will not be completed by the worker that made it."""

    def __init__(self) -> None:
        super().__init__("whoever made the pack did not finish it")


class PacksClosed(PackError):
    """The pack will not be completed, since the daemon stops."""

    def __init__(self) -> None:
        super().__init__("the pack cache is closed")
