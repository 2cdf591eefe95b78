"""Sets of characters: classes, their names, and upper and lower case."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

LAST = 0x10FFFF

Range = tuple[int, int]
"""The first and the last code point."""

_WORD: tuple[Range, ...] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))

PERL: dict[str, tuple[Range, ...]] = {
    "d": ((0x30, 0x39),),
    "s": ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)),
    "w": _WORD,
}
"""Classes by the letter behind their backslash."""

POSIX: dict[str, tuple[Range, ...]] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": ((0x30, 0x39),),
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": _WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
"""Classes by the name between `[:` and `:]`."""

_SUBCATEGORIES = {"C": "cfos", "L": "lmotu", "M": "cen", "N": "dlo", "P": "cdefios", "S": "ckmo", "Z": "lps"}
CATEGORIES: dict[str, frozenset[str]] = {
    major: frozenset(major + minor for minor in minors) for major, minors in _SUBCATEGORIES.items()
}
CATEGORIES |= {name: frozenset((name,)) for names in list(CATEGORIES.values()) for name in names}
"""Unicode's general categories, as sets of those with two letters, without that of what is not assigned."""


@dataclass(frozen=True, slots=True)
class Part:
    """Characters of some ranges and categories.

    categories: of two letters. folded: and what differs from them only by case. negated: all others.
    """

    ranges: tuple[Range, ...] = ()
    categories: frozenset[str] = frozenset()
    folded: bool = False
    negated: bool = False

    def __contains__(self, code: int) -> bool:
        codes = same_but_for_case(code) if self.folded else (code,)
        return any(map(self._has, codes)) != self.negated

    def _has(self, code: int) -> bool:
        if any(first <= code <= last for first, last in self.ranges):
            return True
        return bool(self.categories) and unicodedata.category(chr(code)) in self.categories


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The characters of any of its parts; negated: all others."""

    parts: tuple[Part, ...]
    negated: bool = False

    def __contains__(self, code: int) -> bool:
        return any(code in part for part in self.parts) != self.negated


def one(code: int, *, folded: bool = False) -> CharacterSet:
    """A single character."""
    codes: Iterable[int] = same_but_for_case(code) if folded else (code,)
    return CharacterSet((Part(tuple((each, each) for each in codes), folded=folded),))


ANY = CharacterSet((Part(((0, LAST),)),))
ANY_IN_LINE = CharacterSet((Part(((0x0A, 0x0A),)),), negated=True)


@cache
def same_but_for_case(code: int) -> frozenset[int]:
    """The code points that a case-insensitive comparison takes for `code`, itself included."""
    folded = _folded(chr(code))
    candidates = {chr(code), folded, folded.upper(), *_relatives().get(folded, ())}
    return frozenset(ord(each) for each in candidates if len(each) == 1 and _folded(each) == folded)


def _folded(char: str) -> str:
    """What a character has in common with those that differ by case only, always of one character."""
    for folded in (char.casefold(), char.lower()):
        if len(folded) == 1:
            return folded
    return char


_RELATED_BELOW = 0x2200
"""Beyond it nothing has more than one lower and one upper case, but for letters that `upper` finds."""


@cache
def _relatives() -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for code in range(_RELATED_BELOW):
        groups.setdefault(_folded(chr(code)), []).append(chr(code))
    return {folded: group for folded, group in groups.items() if len(group) > 2}
