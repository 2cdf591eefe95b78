"""git's C-style quoting of paths, as `core.quotePath=true` has it (diff-conflicts.md 1.1)."""

from __future__ import annotations

import re

_ESCAPES = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
    b'"': b'"',
    b"/": b"/",
    b"'": b"'",
}
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2}|[abfnrtv\\\"/'])")
_SPECIAL = re.compile(rb"[\x00-\x1f\x7f-\xff\"\\]")
_LETTERS = {value[0]: b"\\" + letter for letter, value in _ESCAPES.items() if letter not in b"/'"}


def quote(path: bytes) -> bytes:
    """`path` in double quotes and with escapes if a byte of it needs them, else as it is."""
    return path if _SPECIAL.search(path) is None else quoted(path)


def quoted(path: bytes) -> bytes:
    """`path` in double quotes."""
    return b'"' + _SPECIAL.sub(_escape, path) + b'"'


def unquote(text: bytes) -> bytes:
    """The path that is quoted in `text`, or `text` itself where it is not; unknown escapes stay."""
    if not (len(text) > 1 and text.startswith(b'"') and text.endswith(b'"')):
        return text
    return _ESCAPED.sub(_unescape, text[1:-1])


def _escape(found: re.Match[bytes]) -> bytes:
    byte = found[0][0]
    return _LETTERS.get(byte) or b"\\%03o" % byte


def _unescape(found: re.Match[bytes]) -> bytes:
    escape = found[1]
    return _ESCAPES.get(escape) or bytes((int(escape, 8),))
