"""The language of `git update-ref -z --stdin`, and what its complaints mean.

Source: repository.md A9, ref-blob.md 5.9. Names with a NUL byte would be read as commands and raise
InvalidReferenceFormat.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gitaly_py.git.updating.errors import (
    FileDirectoryConflict,
    InTransactionConflict,
    InvalidReferenceFormat,
    MultipleUpdates,
    NotACommit,
    PackedRefsLocked,
    ReferenceExists,
    ReferenceLocked,
    StateMismatch,
    TargetMissing,
    UpdateError,
    UpdateFailed,
)

START = b"start\0"
PREPARE = b"prepare\0"
COMMIT = b"commit\0"
ABORT = b"abort\0"


def update(refname: bytes, new: str, old: str = "") -> bytes:
    """Sets `refname`; zeros as new value delete it. old: empty for no check, zeros for "must not exist"."""
    return _command(b"update", refname, new.encode(), old.encode())


def verify(refname: bytes, old: str) -> bytes:
    """Checks the value of `refname` without changing it."""
    return _command(b"verify", refname, old.encode())


def symref_update(refname: bytes, target: bytes) -> bytes:
    """Makes `refname` a symbolic reference (git 2.46)."""
    return _command(b"symref-update", refname, target)


def _command(verb: bytes, refname: bytes, *values: bytes) -> bytes:
    command = b"%b %b\0" % (verb, b"\0".join((refname, *values)))
    if command.count(b"\0") != 1 + len(values):
        raise InvalidReferenceFormat(refname)
    return command


def failure(status: int, stderr: bytes) -> UpdateError:
    """The error that git's standard error names; UpdateFailed when it names none.

    Texts are searched, not compared, since the reftable backend leaves out part of their beginnings.
    """
    for pattern, error in _FAILURES:
        found = pattern.search(stderr)
        if found is not None:
            return error(found)
    return UpdateFailed(status, stderr)


def _oid(value: bytes) -> str:
    return value.decode("ascii")


_FAILURES: tuple[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], UpdateError]], ...] = (
    (
        re.compile(rb"cannot lock ref '(.*)': Unable to create '.*\.lock': File exists"),
        lambda found: ReferenceLocked(found[1]),
    ),
    (
        re.compile(rb"cannot lock references"),
        lambda _: ReferenceLocked(b""),
    ),
    (
        re.compile(rb"Unable to create '.*/HEAD\.lock': File exists"),
        lambda _: ReferenceLocked(b"HEAD"),
    ),
    (
        re.compile(rb"(?i:unable to create) .*packed-refs\.(?:lock|new)'?: File exists"),
        lambda _: PackedRefsLocked(),
    ),
    (
        re.compile(rb"invalid ref format: (.*)", re.DOTALL),
        lambda found: InvalidReferenceFormat(found[1].removesuffix(b"\n")),
    ),
    (
        re.compile(rb": '(.*)' exists; cannot create '(.*)'"),
        lambda found: FileDirectoryConflict(found[1], found[2]),
    ),
    (
        re.compile(rb"cannot process '(.*)' and '(.*)' at the same time"),
        lambda found: InTransactionConflict(found[1], found[2]),
    ),
    (
        re.compile(rb"trying to write ref '(.*)' with nonexistent object ([0-9a-f]+)"),
        lambda found: TargetMissing(found[1], _oid(found[2])),
    ),
    (
        re.compile(rb"trying to write non-commit object ([0-9a-f]+) to branch '(.*)'"),
        lambda found: NotACommit(found[2], _oid(found[1])),
    ),
    (
        re.compile(rb"cannot lock ref '(.*)': is at ([0-9a-f]+) but expected ([0-9a-f]+)"),
        lambda found: StateMismatch(found[1], expected=_oid(found[3]), actual=_oid(found[2])),
    ),
    (
        re.compile(rb"cannot lock ref '(.*)': reference already exists"),
        lambda found: ReferenceExists(found[1]),
    ),
    (
        re.compile(rb"multiple updates for ref '(.*)' not allowed"),
        lambda found: MultipleUpdates(found[1]),
    ),
)
