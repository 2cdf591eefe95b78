"""What git's complaints about updates mean, in the words of several versions and backends."""

from __future__ import annotations

import pytest

from gitaly_py.git.updating import errors
from gitaly_py.git.wire import updateref

A, B = "a" * 40, "b" * 40
HELP = "\n\nAnother git process seems to be running in this repository, e.g.\n"


@pytest.mark.parametrize(
    ("stderr", "kind", "facts"),
    [
        (
            f"fatal: cannot lock ref 'refs/it's': Unable to create '/r/refs/x.lock': File exists.{HELP}",
            errors.ReferenceLocked,
            {"refname": b"refs/it's"},
        ),
        ("fatal: prepare: cannot lock references\n", errors.ReferenceLocked, {"refname": b""}),
        (
            f"error: Unable to create '/r/HEAD.lock': File exists.{HELP}",
            errors.ReferenceLocked,
            {"refname": b"HEAD"},
        ),
        (
            f"fatal: prepare: Unable to create '/r/./packed-refs.lock': File exists.{HELP}",
            errors.PackedRefsLocked,
            {},
        ),
        (
            "fatal: prepare: unable to create file /r/packed-refs.new: File exists",
            errors.PackedRefsLocked,
            {},
        ),
        (
            "fatal: invalid ref format: refs/a b\nc\n",
            errors.InvalidReferenceFormat,
            {"refname": b"refs/a b\nc"},
        ),
        (
            "fatal: commit: cannot lock ref 'refs/a/b': 'refs/a' exists; cannot create 'refs/a/b'\n",
            errors.FileDirectoryConflict,
            {"existing": b"refs/a", "refname": b"refs/a/b"},
        ),
        (
            "fatal: commit: 'refs/a's' exists; cannot create 'refs/a's/b'\n",
            errors.FileDirectoryConflict,
            {"existing": b"refs/a's", "refname": b"refs/a's/b"},
        ),
        (
            "fatal: cannot lock ref 'refs/n': cannot process 'refs/n' and 'refs/n/m' at the same time",
            errors.InTransactionConflict,
            {"first": b"refs/n", "second": b"refs/n/m"},
        ),
        (
            f"fatal: cannot update ref 'refs/x': trying to write ref 'refs/x' with nonexistent object {A}",
            errors.TargetMissing,
            {"refname": b"refs/x", "oid": A},
        ),
        (
            f"fatal: commit: trying to write non-commit object {A} to branch 'refs/heads/x'",
            errors.NotACommit,
            {"refname": b"refs/heads/x", "oid": A},
        ),
        (
            f"fatal: prepare: cannot lock ref 'refs/x': is at {A} but expected {B}",
            errors.StateMismatch,
            {"refname": b"refs/x", "actual": A, "expected": B},
        ),
        (
            "fatal: commit: cannot lock ref 'refs/x': reference already exists",
            errors.ReferenceExists,
            {"refname": b"refs/x"},
        ),
        (
            "fatal: commit: multiple updates for ref 'refs/x' not allowed",
            errors.MultipleUpdates,
            {"refname": b"refs/x"},
        ),
        (
            "fatal: multiple updates for 'refs/a' (including one via symref 'refs/s') are not allowed",
            errors.UpdateFailed,
            {"status": 128},
        ),
        ("fatal: ref updates aborted by hook\n", errors.UpdateFailed, {"status": 128}),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else None,
)
def test_complaints_become_named_errors(
    stderr: str, kind: type[errors.UpdateError], facts: dict[str, object]
) -> None:
    error = updateref.failure(128, stderr.encode())
    assert type(error) is kind
    assert {name: getattr(error, name) for name in facts} == facts


def test_an_unknown_complaint_is_told_as_go_tells_it() -> None:
    assert str(updateref.failure(128, b"fatal: surprise")) == "exit status 128"


def test_commands_are_encoded_for_z() -> None:
    assert updateref.update(b"refs/x", A) == f"update refs/x\0{A}\0\0".encode()
    assert updateref.update(b"refs/x", A, B) == f"update refs/x\0{A}\0{B}\0".encode()
    assert updateref.verify(b"refs/x", B) == f"verify refs/x\0{B}\0".encode()
    assert updateref.symref_update(b"HEAD", b"refs/x") == b"symref-update HEAD\0refs/x\0"


def test_a_name_with_nul_cannot_smuggle_a_command() -> None:
    with pytest.raises(errors.InvalidReferenceFormat):
        updateref.update(b"refs/x\0delete refs/y", A)
