"""The tokens that tell a language, as Linguist's statistics count them (commit.md 4.2, strategy 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST = 16
"""Characters of a word that are kept."""

_TOKEN = re.compile(
    rb"""
    \A\#!(?P<shebang>[^\n]*)
    | ^[ \t]*(?P<line>//|(?:\#|--|%|;|"|\.\\"|\$!)(?=[ \t]))[^\n]*
    | (?P<block>/\*\*?(?!/)|<!--|\{-|\(\*|\"{3}|'{3})
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | 0x[0-9a-fA-F]+\b | [0-9]+(?:\.[0-9]+)*\b
    | (?P<word>[.@\#$]?[A-Za-z0-9_]+)
    | (?P<sign>\$?[()]+|\$?[{}]+|[\[\]]+|,+|;+|[-+*/<>=!&|~^:%.?@\#$\\]+|`)
    """,
    re.MULTILINE | re.VERBOSE,
)
_ENDS = {b"/*": b"*/", b"/**": b"*/", b"<!--": b"-->", b"{-": b"-}", b"(*": b"*)"}
_VERSION = re.compile(rb"[0-9.]+\Z")


def tokens(content: bytes) -> Iterator[str]:
    """Words, signs and the kinds of comments; strings, numbers and what stands in comments are left out."""
    at = 0
    while (found := _TOKEN.search(content, at)) is not None:
        at = found.end()
        kind, text = found.lastgroup, found[found.lastgroup or 0]
        if kind == "block":
            at = _end(content, text, at)
        token = _token(kind, text)
        if token:
            yield token.decode("latin-1")


def _end(content: bytes, opening: bytes, at: int) -> int:
    """Where a comment ends; one that doesn't is none."""
    ending = _ENDS.get(opening, opening)
    end = content.find(ending, at)
    return at if end < 0 else end + len(ending)


def _token(kind: str | None, text: bytes) -> bytes:
    if kind == "shebang":
        return _interpreter(text)
    if kind in ("line", "block"):
        return b"COMMENT" + text
    return text[:_LONGEST] if kind in ("word", "sign") else b""


def _interpreter(line: bytes) -> bytes:
    words = [word.rpartition(b"/")[2] for word in line.split()]
    if words[:1] == [b"env"]:
        words = words[1:]
    return b"SHEBANG#!" + _VERSION.sub(b"", words[0]) if words else b""
