"""Checks of request fields that need no knowledge of git."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gitaly_py.rpc.status import InvalidArgument


@dataclass(frozen=True)
class FieldCheck:
    """Applies `test` to the value of `field`; `test` raises when the value must be refused.

    early: the check comes before that of the repository.
    """

    field: str | None
    test: Callable[[Any], None]
    early: bool = False

    def __call__(self, request: Any) -> None:
        self.test(getattr(request, self.field) if self.field else request)


def some(field: str, *, otherwise: str) -> FieldCheck:
    """The field must not be empty; `otherwise` is the text of the InvalidArgument."""

    def test(value: Any) -> None:
        if not value:
            raise InvalidArgument(otherwise)

    return FieldCheck(field, test)


def none(field: str, *, otherwise: str) -> FieldCheck:
    """The field must be empty; `otherwise` is the text of the InvalidArgument."""

    def test(value: Any) -> None:
        if value:
            raise InvalidArgument(otherwise)

    return FieldCheck(field, test)


def early(check: FieldCheck) -> FieldCheck:
    """The same check, made before that of the repository."""
    return replace(check, early=True)


def not_negative(field: str, *, otherwise: str) -> FieldCheck:
    """The number must be zero or more; `otherwise` is the text of the InvalidArgument."""

    def test(value: int) -> None:
        if value < 0:
            raise InvalidArgument(otherwise)

    return FieldCheck(field, test)


def each(field: str, test: Callable[[Any], None]) -> FieldCheck:
    """Applies `test` to every value of a repeated field, in order."""

    def test_all(values: Any) -> None:
        for value in values:
            test(value)

    return FieldCheck(field, test_all)
