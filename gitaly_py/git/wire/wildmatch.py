"""Git's wildmatch: shell patterns as for-each-ref and `git tag -l` understand them (ref-blob.md 3.1).

A pattern becomes a regular expression without backtracking to speak of, so that no pattern makes matching
explode: the text between two stars may stay where it matches first. For `*`, which does not cross `/`,
that holds up to the next `**`; for `**` it holds for everything up to the next `**`. Hence sections
that begin with a wide star, parts in them that begin with a narrow one, and atomic groups around all
but the last of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

_NOTHING = rb"(?!)"
"""Matches no text at all: what a malformed pattern becomes."""

_CLASSES: dict[bytes, Callable[[int], bool]] = {
    b"alnum": lambda byte: chr(byte).isalnum(),
    b"alpha": lambda byte: chr(byte).isalpha(),
    b"blank": lambda byte: byte in b" \t",
    b"cntrl": lambda byte: byte < 0x20 or byte == 0x7F,
    b"digit": lambda byte: byte in b"0123456789",
    b"graph": lambda byte: 0x20 < byte < 0x7F,
    b"lower": lambda byte: byte in b"abcdefghijklmnopqrstuvwxyz",
    b"print": lambda byte: 0x20 <= byte < 0x7F,
    b"punct": lambda byte: 0x20 < byte < 0x7F and not chr(byte).isalnum(),
    b"space": lambda byte: byte in b" \t\n\r\v\f",
    b"upper": lambda byte: byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"xdigit": lambda byte: byte in b"0123456789abcdefABCDEF",
}

_MAGIC = frozenset(b"*?[\\")


_ANY = rb".*?"
_IN_COMPONENT = rb"[^/]*?"
_COMPONENTS = rb"(?:.*?/)??"
_WIDE = frozenset((_ANY, _COMPONENTS))
_NARROW = frozenset((_IN_COMPONENT,))


class _Malformed(Exception):
    """The pattern ends inside a bracket, or names an unknown class."""


class Wildmatch:
    """A compiled pattern.

    path: `*`, `?` and brackets do not match `/`, while `**` between slashes does (WM_PATHNAME).
    ignore_case: ASCII letters match in either case (WM_CASEFOLD).
    """

    def __init__(self, pattern: bytes, *, path: bool, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case
        try:
            expression = _Translation(pattern, path=path, ignore_case=ignore_case).expression()
        except _Malformed:
            expression = _NOTHING
        self._match = re.compile(expression, re.DOTALL).fullmatch

    def matches(self, text: bytes) -> bool:
        """Whether the pattern matches all of `text`."""
        return self._match(text.lower() if self._ignore_case else text) is not None


def is_glob(pattern: bytes) -> bool:
    """Whether `pattern` holds a character that is special to wildmatch."""
    return not _MAGIC.isdisjoint(pattern)


@lru_cache(maxsize=256)
def compiled(pattern: bytes, *, path: bool, ignore_case: bool = False) -> Wildmatch:
    """A Wildmatch, made once for repeated patterns."""
    return Wildmatch(pattern, path=path, ignore_case=ignore_case)


class _Translation:
    """One pass over a pattern; text is folded to lower case beforehand when case is ignored."""

    def __init__(self, pattern: bytes, *, path: bool, ignore_case: bool) -> None:
        self._pattern = pattern
        self._path = path
        self._ignore_case = ignore_case
        self._at = 0

    def expression(self) -> bytes:
        sections: list[list[bytes]] = [[b""]]
        for part in self._parts():
            if part in _WIDE:
                sections.append([part])
            elif part in _NARROW:
                sections[-1].append(part)
            else:
                sections[-1][-1] += part
        *settled, last = sections
        first = b"".join(_settled(settled[0])) if settled else b""
        middle = b"".join(b"(?>%b)" % b"".join(_settled(section)) for section in settled[1:])
        open_end = last.pop() if len(last) > 1 else b""
        return first + middle + b"".join(_settled(last)) + open_end

    def _parts(self) -> Iterator[bytes]:
        while self._at < len(self._pattern):
            byte = self._pattern[self._at]
            if byte == ord("*"):
                yield self._star()
            elif byte == ord("["):
                yield self._bracket()
            elif byte == ord("?"):
                self._at += 1
                yield b"[^/]" if self._path else b"."
            else:
                yield self._literal(byte)

    def _literal(self, byte: int) -> bytes:
        if byte == ord("\\"):
            self._at += 2
            # Git does not fold an escaped letter, and a backslash at the end matches nothing.
            return re.escape(self._pattern[self._at - 1 : self._at]) or _NOTHING
        self._at += 1
        return re.escape(self._folded(bytes([byte])))

    def _star(self) -> bytes:
        begin = self._at
        while self._pattern[self._at : self._at + 1] == b"*":
            self._at += 1
        if not self._path:
            return _ANY
        follows = self._pattern[self._at : self._at + 2]
        opens = begin == 0 or self._pattern[begin - 1] == ord("/")
        closes = follows in (b"", b"\\/") or follows.startswith(b"/")
        if self._at - begin < 2 or not opens or not closes:
            return _IN_COMPONENT
        if follows.startswith(b"/"):
            self._at += 1
            return _COMPONENTS
        return _ANY

    def _bracket(self) -> bytes:
        self._at += 1
        negated = self._pattern[self._at : self._at + 1] in (b"!", b"^")
        self._at += negated
        accepts = _Bracket(self._pattern, self._at, ignore_case=self._ignore_case)
        members = accepts.members()
        self._at = accepts.end
        wanted = {byte for byte in range(256) if (byte in members) != negated}
        if self._path:
            wanted.discard(ord("/"))
        return b"[%b]" % b"".join(b"\\x%02x" % byte for byte in sorted(wanted)) if wanted else _NOTHING

    def _folded(self, text: bytes) -> bytes:
        return text.lower() if self._ignore_case else text


def _settled(section: list[bytes]) -> Iterator[bytes]:
    """The section's head, and each narrow star with what follows it as an atomic group."""
    head, *rest = section
    yield head
    for part in rest:
        yield b"(?>%b)" % part


class _Bracket:
    """The inside of `[...]`, from behind the negation; `end` is behind the bracket once parsed."""

    def __init__(self, pattern: bytes, begin: int, *, ignore_case: bool) -> None:
        self._pattern = pattern
        self.end = begin
        self._ignore_case = ignore_case

    def members(self) -> set[int]:
        """The bytes that stand in the bracket."""
        members: set[int] = set()
        previous: int | None = None
        first = True
        while first or self._peek() != ord("]"):
            first = False
            byte = self._peek()
            if byte == ord("-") and previous is not None and self._peek(1) not in (None, ord("]")):
                self.end += 1
                members |= self._range(previous, self._escaped())
                previous = None
            elif byte == ord("[") and self._peek(1) == ord(":") and self._class_end() is not None:
                members |= self._class()
                previous = None
            else:
                previous = self._escaped()
                members.add(previous)
        self.end += 1
        return members

    def _peek(self, distance: int = 0) -> int | None:
        position = self.end + distance
        if position < len(self._pattern):
            return self._pattern[position]
        if distance == 0:
            raise _Malformed
        return None

    def _escaped(self) -> int:
        if self._peek() == ord("\\"):
            self.end += 1
        byte = self._pattern[self.end] if self.end < len(self._pattern) else None
        if byte is None:
            raise _Malformed
        self.end += 1
        return byte

    def _range(self, low: int, high: int) -> set[int]:
        members = set(range(low, high + 1))
        if self._ignore_case:
            members |= {
                ord(chr(byte).lower()) for byte in members if chr(byte).isascii() and chr(byte).isupper()
            }
        return members

    def _class_end(self) -> int | None:
        """Where `:]` begins; None when the bracket is an ordinary one."""
        closing = self._pattern.find(b"]", self.end + 2)
        if closing < 0:
            raise _Malformed
        return closing - 1 if closing - 1 >= self.end + 2 and self._pattern[closing - 1] == ord(":") else None

    def _class(self) -> set[int]:
        begin, end = self.end + 2, self._class_end() or 0
        self.end = end + 2
        accepts = _CLASSES.get(self._pattern[begin:end])
        if accepts is None:
            raise _Malformed
        members = {byte for byte in range(128) if accepts(byte)}
        if self._ignore_case and self._pattern[begin:end] == b"upper":
            members |= set(b"abcdefghijklmnopqrstuvwxyz")
        return members
