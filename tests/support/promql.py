"""Which metrics and labels a PromQL query asks for. Knows as much of the language as `deploy/` uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:][\w:]*|[\d.]+|=~|!~|!=|==|>=|<=|\S)')
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_AGGREGATIONS = {"avg", "count", "max", "min", "sum", "topk"}
_OPERATORS = {"and", "or", "unless"}
_UNKNOWN = {"by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool"}


@dataclass(frozen=True)
class Matcher:
    """One comparison between braces; value without its quotes."""

    label: str
    operator: str
    value: str

    @property
    def alternatives(self) -> list[str]:
        """What the label must equal; nothing where it must differ or match a pattern."""
        plain = self.operator in ("=", "=~") and re.fullmatch(r"[\w|]+", self.value)
        return self.value.split("|") if plain else []


@dataclass(frozen=True)
class Use:
    """A metric in a query. kept: the labels by which what is made of it is summed."""

    metric: str
    matchers: tuple[Matcher, ...] = ()
    kept: frozenset[str] = frozenset()

    @property
    def labels(self) -> frozenset[str]:
        """Every label that it must have."""
        return self.kept | {matcher.label for matcher in self.matchers}


def uses(query: str) -> list[Use]:
    """The metrics of a query, in its order. Raises ValueError for what this does not know."""
    reader = _Reader(_TOKEN.findall(query))
    found = list(reader.expression())
    if reader.next:
        raise ValueError(f"not read to its end: {query}")
    return found


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0

    @property
    def next(self) -> str:
        return self._tokens[self._at]

    def take(self, *expected: str) -> str:
        token = self.next
        if not token or (expected and token not in expected):
            raise ValueError(f"{token!r} where {expected} is expected")
        self._at += 1
        return token

    def expression(self) -> Iterator[Use]:
        """Up to the parenthesis that closes it, or to the end."""
        while self.next not in ("", ")"):
            token = self.take()
            if token == "(":
                yield from self.expression()
                self.take(")")
            elif token in _UNKNOWN:
                raise ValueError(f"{token} is not known here")
            elif token in _AGGREGATIONS:
                yield from self.aggregation()
            elif _NAME.fullmatch(token) and token not in _OPERATORS and self.next != "(":
                yield Use(token, tuple(self.matchers()))

    def aggregation(self) -> Iterator[Use]:
        kept = frozenset(self.names()) if self.next == "by" else frozenset()
        self.take("(")
        for use in self.expression():
            yield replace(use, kept=use.kept | kept)
        self.take(")")

    def names(self) -> Iterator[str]:
        self.take("by")
        self.take("(")
        while (token := self.take()) != ")":
            if token != ",":
                yield token

    def matchers(self) -> Iterator[Matcher]:
        if self.next != "{":
            return
        self.take("{")
        while (token := self.take()) != "}":
            if token != ",":
                yield Matcher(token, self.take("=", "!=", "=~", "!~"), self.take()[1:-1])
