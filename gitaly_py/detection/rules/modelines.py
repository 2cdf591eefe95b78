"""What editors are told in a file (commit.md 4.2, strategy 1)."""

from __future__ import annotations

import re
from collections.abc import Callable

_LINES = 5
_FEW_NEWLINES = 10

_EMACS = re.compile(rb"-\*-(.*?)-\*-")
_EMACS_MODE = re.compile(rb"(?:\A|[\s;])mode\s*:\s*([^\s;]+)", re.IGNORECASE)
_EMACS_BARE = re.compile(rb"\s*([^\s:;]+)\s*\Z")

_VIM = re.compile(
    rb"(?:(?:\A|\s)(?:vi|vim[<=>]?[0-9]*)|[ \t]ex)\s*:\s*(?:set?\s+(?P<set>[^:\n]*):|(?P<rest>.*))",
    re.IGNORECASE,
)
_VIM_TYPE = re.compile(rb"(?:\A|[\s:])(?:filetype|ft|syntax)\s*=\s*([A-Za-z0-9_+-]+)", re.IGNORECASE)


def mode(content: bytes) -> str | None:
    """The mode that the last modeline of the first or last five lines names, Emacs' before vim's."""
    lines = _lines(content)
    return _last(lines, _emacs) or _last(lines, _vim)


def _lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    if len(lines) <= _FEW_NEWLINES:
        return lines
    return lines[:_LINES] + lines[-_LINES:]


def _last(lines: list[bytes], find: Callable[[bytes], bytes | None]) -> str | None:
    for line in reversed(lines):
        found = find(line)
        if found:
            return found.decode("utf-8", "replace")
    return None


def _emacs(line: bytes) -> bytes | None:
    found = _EMACS.search(line)
    if found is None:
        return None
    named = _EMACS_MODE.search(found[1]) or _EMACS_BARE.match(found[1])
    return named[1] if named else None


def _vim(line: bytes) -> bytes | None:
    found = _VIM.search(line)
    if found is None:
        return None
    types = {each.lower() for each in _VIM_TYPE.findall(found["set"] or found["rest"] or b"")}
    # What contradicts itself says nothing.
    return types.pop() if len(types) == 1 else None
