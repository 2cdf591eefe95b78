"""Errors of the git layer.

GitError
├── CommandError
│   ├── InvalidCommand          refused before a process is started (daemon.md 6.4)
│   │   └── InvalidPosition     a positional argument that is no revision
│   ├── SpawnFailed             the binary could not be started
│   ├── CommandFailed           ended with another status than 0
│   ├── CommandTimedOut         its deadline passed
│   └── OutputTooLarge          wrote more than the caller accepts
├── FormatError
│   ├── ConfigUnreadable
│   ├── UnknownObjectFormat
│   └── UnknownReferenceBackend
├── ControlGroupsUnusable       asked for, but not to be had
├── WireError                   see gitaly_py.git.wire.errors
└── UpdateError                 see gitaly_py.git.updating.errors
"""

from __future__ import annotations

import signal

from gitaly_py.git.wire.goquote import quote


class GitError(Exception):
    """Root of everything the git layer raises."""


class ControlGroupsUnusable(GitError):
    """Control groups are configured, but can't be made or limited; the text names the file."""

    def __init__(self, text: str) -> None:
        super().__init__(f"failed setting up cgroups: {text}")


class CommandError(GitError):
    """A git command that was refused, failed or was ended."""


class InvalidCommand(CommandError):
    """A command line that must not reach git. `command` is the sub-command's name."""

    def __init__(self, command: str, text: str) -> None:
        super().__init__(text)
        self.command = command


class InvalidPosition(InvalidCommand):
    """A positional argument that breaks the revision rules (daemon.md 10)."""


class SpawnFailed(CommandError):
    """The process could not be started; `reason` is the operating system's error."""

    def __init__(self, command: str, reason: OSError) -> None:
        super().__init__(f"spawn {command}: {reason.strerror}")
        self.command = command
        self.reason = reason


class CommandFailed(CommandError):
    """git ended with `status` (negative: the signal's number); `stderr` holds its last words.

    The text is what Go prints for a failed process, since clients and tests look for it.
    """

    def __init__(self, command: str, status: int, stderr: bytes = b"") -> None:
        super().__init__(describe_status(status))
        self.command = command
        self.status = status
        self.stderr = stderr

    @property
    def facts(self) -> dict[str, str]:
        """What the log says of the error beside its text (daemon.md 9)."""
        return {"stderr": self.stderr.decode("utf-8", "replace")} if self.stderr else {}


class CommandTimedOut(CommandError):
    """The command did not end within `seconds`."""

    def __init__(self, command: str, seconds: float) -> None:
        super().__init__(f"git {command} did not end within {seconds:g} seconds")
        self.command = command
        self.seconds = seconds


class OutputTooLarge(CommandError):
    """The command wrote more than `limit` bytes."""

    def __init__(self, command: str, limit: int) -> None:
        super().__init__(f"git {command} wrote more than {limit} bytes")
        self.command = command
        self.limit = limit


class FormatError(GitError):
    """A repository whose configuration names a format git does not know (repository.md A4)."""


class ConfigUnreadable(FormatError):
    """The repository's config file cannot be read; the text is Go's (repository.md A4)."""

    def __init__(self, path: str, reason: OSError) -> None:
        super().__init__(f"open: open {path}: {(reason.strerror or '').lower()}")
        self.path = path
        self.reason = reason


class UnknownObjectFormat(FormatError):
    """`extensions.objectFormat` is neither sha1 nor sha256."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown object format: {quote(name)}")
        self.name = name


class UnknownReferenceBackend(FormatError):
    """`extensions.refStorage` is neither files nor reftable."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown reference backend: {quote(name)}")
        self.name = name


def describe_status(status: int) -> str:
    """`exit status N` or `signal: terminated`, as Go prints the end of a process (transport.md 0)."""
    if status >= 0:
        return f"exit status {status}"
    return f"signal: {_signal_name(-status)}"


def _signal_name(number: int) -> str:
    name = signal.strsignal(number)
    return name.lower() if name else f"signal {number}"
