"""Checks that several RPCs of this service have in common."""

from __future__ import annotations

from collections.abc import Iterable

from gitaly_py.git.wire.goquote import quote
from gitaly_py.rpc.checks import FieldCheck, each
from gitaly_py.rpc.status import Internal, InvalidArgument


def exclusions(namespace: str) -> FieldCheck:
    """`exclude_patterns` are patterns below `namespace`, such as `refs/heads/` (ref-blob.md 5.2)."""

    def test(pattern: bytes) -> None:
        if not pattern:
            raise InvalidArgument("empty exclude pattern")
        if b"\0" in pattern:
            raise InvalidArgument(f"exclude pattern contains null byte: {quote(pattern)}")
        if not pattern.startswith(namespace.encode()):
            raise InvalidArgument(f"exclude pattern must start with {quote(namespace)}: {quote(pattern)}")

    return each("exclude_patterns", test)


def check_argument(value: bytes) -> None:
    """Raises Internal for what could not be an argument of a git command (repository.md A5)."""
    if b"\0" in value:
        raise Internal(f"detected null byte in command argument {quote(value)}")


def check_arguments(patterns: Iterable[bytes]) -> None:
    """Raises Internal for patterns that could not be positional arguments of a git command."""
    for pattern in patterns:
        check_argument(pattern)
        if pattern.startswith(b"-"):
            raise Internal(f"positional arg {quote(pattern)} cannot start with dash '-': invalid argument")
