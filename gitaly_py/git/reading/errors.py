"""Errors of reading.

GitError
└── ReadingError
    ├── AmbiguousRevision      a short id that fits several objects
    ├── RevisionHasNul
    ├── ObjectNotFound         only where an object was promised: elsewhere None
    ├── ObjectTooLarge         larger than `read` loads
    ├── ObjectUnreadable       corrupt, or git failed while reading it
    ├── HeadError
    │   ├── HeadUnreadable     absent or no reference
    │   └── HeadDetached       where a branch was needed
    ├── ReferencesUnreadable   packed-refs is damaged
    └── ReftableUnsupported    git is too old for the repository
"""

from __future__ import annotations

from gitaly_py.git.errors import GitError
from gitaly_py.git.wire.goquote import quote


class ReadingError(GitError):
    """A repository that can't be read as asked."""


class AmbiguousRevision(ReadingError):
    """`revision` is a short id that fits several objects (commit.md 1.5)."""

    def __init__(self, revision: bytes) -> None:
        super().__init__(f"invalid info line: {quote(revision + b' ambiguous')}")
        self.revision = revision


class RevisionHasNul(ReadingError):
    """A revision with a NUL byte (commit.md 1.5)."""

    def __init__(self, revision: bytes) -> None:
        super().__init__("revision must not contain NUL bytes")
        self.revision = revision


class ObjectNotFound(ReadingError):
    """The object `oid` is not in the repository."""

    def __init__(self, oid: str) -> None:
        super().__init__("object not found")
        self.oid = oid


class ObjectTooLarge(ReadingError):
    """The object `oid` of `size` bytes is not for loading into memory."""

    def __init__(self, oid: str, size: int) -> None:
        super().__init__(f"object {oid} is too large to be read at once: {size} bytes")
        self.oid = oid
        self.size = size


class ObjectUnreadable(ReadingError):
    """Reading `oid` (or a revision) failed, mostly because the object is corrupt; `reason` is git's text."""

    def __init__(self, oid: str, reason: str) -> None:
        super().__init__(f"reading object {oid}: {reason}")
        self.oid = oid
        self.reason = reason


class HeadError(ReadingError):
    """HEAD does not say which branch is the default one.

    The text is what the failed `git symbolic-ref HEAD` leaves in the API's messages (ref-blob.md 5.1).
    """

    def __init__(self) -> None:
        super().__init__("exit status 128")


class HeadUnreadable(HeadError):
    """HEAD is absent or holds neither an id nor a reference."""


class HeadDetached(HeadError):
    """HEAD names a commit, not a branch."""


class ReferencesUnreadable(ReadingError):
    """The file `path` of references is damaged."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"reading references: {reason}")
        self.path = path
        self.reason = reason


class ReftableUnsupported(ReadingError):
    """The repository keeps its references in reftables, which git knows since 2.45."""

    def __init__(self, version: str) -> None:
        super().__init__(f"reference backend reftable needs git 2.45 or newer, found {version}")
        self.version = version
