"""Listing references by the patterns of for-each-ref (ref-blob.md 3.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from itertools import compress
from typing import NamedTuple

from gitaly_py.git.reading.interface import ReferenceReader, References
from gitaly_py.git.wire.wildmatch import compiled, is_glob

Rule = Callable[[bytes], bool]

_ALL = b"refs/"
_MAGIC = b"*?[\\"
_FEW = 8
"""So many patterns are tried one by one."""


class Span(NamedTuple):
    """References to look at: the one named `start` if `exact`, else all whose names start so.

    sure: every one of them matches the patterns.
    """

    start: bytes
    exact: bool
    sure: bool


class Patterns:
    """Patterns of names, no pattern standing for everything, and of names to leave out.

    A pattern matches names that are equal or below it (`refs/heads` matches `refs/heads/main`), and those it
    fits as a glob, in which only `**` crosses slashes. ignore_case: the glob rule ignores case.
    """

    def __init__(
        self, patterns: Sequence[bytes] = (), *, exclude: Sequence[bytes] = (), ignore_case: bool = False
    ) -> None:
        self._patterns = patterns
        self._ignore_case = ignore_case
        self._wanted = _union(patterns, ignore_case=ignore_case)
        self._unwanted = _union(exclude, ignore_case=ignore_case)

    def matches(self, name: bytes) -> bool:
        """Whether a reference of that full name is listed."""
        if self._wanted is not None and not self._wanted(name):
            return False
        return self._unwanted is None or not self._unwanted(name)

    def select(self, names: Sequence[bytes]) -> list[bool]:
        """`matches` of each name, quicker for many."""
        if self._wanted is not None and self._unwanted is None:
            return list(map(self._wanted, names))
        return list(map(self.matches, names))

    def spans(self) -> list[Span]:
        """Where to look, in byte order, no name twice."""
        sure = self._unwanted is None
        if not self._patterns:
            return [Span(_ALL, exact=False, sure=sure)]
        if self._ignore_case:
            return [Span(_ALL, exact=False, sure=False)]
        spans: set[Span] = set()
        for pattern in self._patterns:
            if is_glob(pattern):
                spans.add(Span(_literal_prefix(pattern), exact=False, sure=False))
            elif pattern.endswith(b"/"):
                spans.add(Span(pattern, exact=False, sure=sure))
            else:
                spans.add(Span(pattern, exact=True, sure=sure))
                spans.add(Span(pattern + b"/", exact=False, sure=sure))
        return _disjoint(sorted(spans))


async def matching(
    reader: ReferenceReader, patterns: Patterns, *, after: bytes = b"", descending: bool = False
) -> AsyncGenerator[References]:
    """The references that match, in byte order; `after` and `descending` as in ReferenceReader.references."""
    spans = patterns.spans()
    for span in reversed(spans) if descending else spans:
        if span.exact:
            batch = await _exact(reader, span.start, after, descending=descending)
            if len(batch) and patterns.matches(span.start):
                yield batch
            continue
        async with aclosing(reader.references(span.start, after=after, descending=descending)) as batches:
            async for batch in batches:
                kept = batch if span.sure else _filtered(batch, patterns)
                if len(kept):
                    yield kept


async def _exact(reader: ReferenceReader, name: bytes, after: bytes, *, descending: bool) -> References:
    beyond = not after or (name < after if descending else name > after)
    found = await reader.reference(name) if beyond and name.startswith(_ALL) else None
    return References([name], [found.oid], [None]) if found else References([], [], [])


def _filtered(batch: References, patterns: Patterns) -> References:
    keep = patterns.select(batch.names)
    return References(
        list(compress(batch.names, keep)),
        list(compress(batch.oids, keep)),
        list(compress(batch.peeled, keep)),
    )


def _union(patterns: Sequence[bytes], *, ignore_case: bool) -> Rule | None:
    """Whether a name matches any of the patterns; None without patterns."""
    plain = [] if ignore_case else [pattern for pattern in patterns if not is_glob(pattern)]
    if len(plain) > _FEW:
        others = [pattern for pattern in patterns if is_glob(pattern)]
        rules = [_any_of(plain), *(_rule(pattern, ignore_case=False) for pattern in others)]
    else:
        rules = [_rule(pattern, ignore_case=ignore_case) for pattern in patterns]
    if len(rules) < 2:
        return rules[0] if rules else None
    return lambda name: any(rule(name) for rule in rules)


def _any_of(patterns: Iterable[bytes]) -> Rule:
    """The rule of many patterns that are no globs, in one look for each folder of a name."""
    known = frozenset(patterns)

    def matches(name: bytes) -> bool:
        at = len(name)
        while at > 0:
            if name[:at] in known or name[: at + 1] in known:
                return True
            at = name.rfind(b"/", 0, at)
        return False

    return matches


def _rule(pattern: bytes, *, ignore_case: bool) -> Rule:
    if is_glob(pattern):
        # No name holds the special characters, so none can be equal or below.
        return compiled(pattern, path=True, ignore_case=ignore_case).matches
    below = pattern if pattern.endswith(b"/") else pattern + b"/"
    if not ignore_case:
        return lambda name: name == pattern or name.startswith(below)
    folded = pattern.lower()
    return lambda name: name.startswith(below) or name.lower() == folded


def _literal_prefix(pattern: bytes) -> bytes:
    return pattern[: min(at for byte in _MAGIC if (at := pattern.find(byte)) >= 0)]


def _disjoint(spans: list[Span]) -> list[Span]:
    """Leaves out what a wider span covers; of two equal ones the unsure stays."""
    kept: list[Span] = []
    for span in spans:
        # What begins with an earlier span's start follows it directly, so the last one kept decides.
        if not kept or kept[-1].exact or not span.start.startswith(kept[-1].start):
            kept.append(span)
    return kept
