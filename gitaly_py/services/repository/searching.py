"""What searches for content and for names have in common (repository.md)."""

from __future__ import annotations

from gitaly_py.rpc.checks import FieldCheck, some
from gitaly_py.rpc.status import InvalidArgument


def _no_option(ref: bytes) -> None:
    if ref.startswith(b"-"):
        raise InvalidArgument("invalid ref argument")


CHECKS = (
    some("query", otherwise="no query given"),
    some("ref", otherwise="no ref given"),
    FieldCheck("ref", _no_option),
)
"""The checks of both, in their order."""
