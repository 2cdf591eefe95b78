"""Why references could not be updated; texts are the API's (repository.md A9).

UpdateError
├── UpdateFailed                  git failed for a reason that has no name: `exit status N`
├── ReferenceLocked               refname (empty for reftable, which locks all at once)
├── PackedRefsLocked
├── InvalidReferenceFormat        refname
├── FileDirectoryConflict         existing, refname
├── InTransactionConflict         first, second
├── TargetMissing                 refname, oid
├── NotACommit                    refname, oid
├── StateMismatch                 refname, expected, actual
├── ReferenceExists               refname
├── MultipleUpdates               refname
└── MalformedDefaultBranch        refname
"""

from __future__ import annotations

from gitaly_py.git.errors import GitError, describe_status
from gitaly_py.git.wire.goquote import quote


class UpdateError(GitError):
    """A reference transaction that was not applied; nothing has changed."""


class UpdateFailed(UpdateError):
    """git failed with `status` for a reason that is none of the others; `stderr` holds its words."""

    def __init__(self, status: int, stderr: bytes) -> None:
        super().__init__(describe_status(status))
        self.status = status
        self.stderr = stderr


class ReferenceLocked(UpdateError):
    """Someone else holds the lock of `refname`."""

    def __init__(self, refname: bytes) -> None:
        super().__init__("reference is already locked")
        self.refname = refname


class PackedRefsLocked(UpdateError):
    """Someone else has held the lock of `packed-refs` for too long."""

    def __init__(self) -> None:
        super().__init__("packed-refs locked")


class InvalidReferenceFormat(UpdateError):
    """git refuses the name `refname`."""

    def __init__(self, refname: bytes) -> None:
        super().__init__("invalid reference format")
        self.refname = refname


class FileDirectoryConflict(UpdateError):
    """`existing` stands in the way of `refname`: one is a folder of the other."""

    def __init__(self, existing: bytes, refname: bytes) -> None:
        super().__init__("file directory conflict")
        self.existing = existing
        self.refname = refname


class InTransactionConflict(UpdateError):
    """Two references of one transaction exclude one another."""

    def __init__(self, first: bytes, second: bytes) -> None:
        super().__init__("conflicting reference updates in the same transaction")
        self.first = first
        self.second = second


class TargetMissing(UpdateError):
    """`refname` should point at `oid`, which does not exist."""

    def __init__(self, refname: bytes, oid: str) -> None:
        super().__init__("target object missing")
        self.refname = refname
        self.oid = oid


class NotACommit(UpdateError):
    """The branch `refname` should point at `oid`, which is no commit."""

    def __init__(self, refname: bytes, oid: str) -> None:
        super().__init__("target object not a commit")
        self.refname = refname
        self.oid = oid


class StateMismatch(UpdateError):
    """`refname` points at `actual` instead of `expected`."""

    def __init__(self, refname: bytes, expected: str, actual: str) -> None:
        super().__init__("reference does not point to expected object")
        self.refname = refname
        self.expected = expected
        self.actual = actual


class ReferenceExists(UpdateError):
    """`refname` should be created, but is there."""

    def __init__(self, refname: bytes) -> None:
        super().__init__("reference already exists")
        self.refname = refname


class MultipleUpdates(UpdateError):
    """`refname` is updated more than once in a transaction."""

    def __init__(self, refname: bytes) -> None:
        super().__init__("reference has been updated multiple times within a transaction")
        self.refname = refname


class MalformedDefaultBranch(UpdateError):
    """HEAD cannot name `refname`."""

    def __init__(self, refname: bytes) -> None:
        super().__init__(f"{quote(refname)} is a malformed refname")
        self.refname = refname
