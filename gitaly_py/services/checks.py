"""Checks of request fields by git's rules, with the texts of the specification."""

from __future__ import annotations

from collections.abc import Callable

from gitaly_py.git.wire.errors import InvalidRevision
from gitaly_py.git.wire.revisions import validate_revision
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument


def revision_test(
    *, prefix: str = "", allow_empty: bool = False, paths: bool = False, pseudo: bool = False
) -> Callable[[bytes], None]:
    """A test of one revision (commit.md 1.2); `prefix` goes before the text of the InvalidArgument."""

    def test(value: bytes) -> None:
        try:
            validate_revision(value, allow_empty=allow_empty, paths=paths, pseudo=pseudo)
        except InvalidRevision as error:
            raise InvalidArgument(f"{prefix}{error}") from error

    return test


def revision(field: str, *, prefix: str = "", allow_empty: bool = False, paths: bool = False) -> FieldCheck:
    """The field is a revision that git may see."""
    return FieldCheck(field, revision_test(prefix=prefix, allow_empty=allow_empty, paths=paths))
