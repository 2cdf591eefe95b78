"""What Rails is told of a push, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One push, as the internal API needs it.

    gl_repository, gl_id: names Rails gave the repository and the pusher. protocol: `http`, `ssh` or
    `web`. changes: a line `<old> <new> <reference>` an update. repository_path: absolute;
    relative_path: within the storage. object_directory, alternate_object_directories: the quarantine,
    relative to the repository. client_context: `gitaly-client-context-bin` of the call.
    remote_ip: address of the pusher.
    """

    gl_repository: str
    gl_id: str
    protocol: str = ""
    changes: bytes = b""
    repository_path: str = ""
    relative_path: str = ""
    object_directory: str = ""
    alternate_object_directories: tuple[str, ...] = ()
    push_options: tuple[str, ...] = ()
    client_context: bytes = b""
    remote_ip: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the push may go on; `message` is for the user."""

    allowed: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Text for the terminal of whoever pushes. kind: `basic` or `alert`."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class PostReceiveAnswer:
    """decreased: Rails ended its count of running pushes for the repository."""

    decreased: bool
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """What Rails says of itself. redis: whether it reaches its Redis."""

    gitlab_version: str
    gitlab_revision: str
    api_version: str
    redis: bool


@dataclass(frozen=True, slots=True)
class PoolMember:
    """A repository that borrows objects from a pool. is_upstream: the pool was made from it."""

    relative_path: str
    public: bool
    is_upstream: bool
