"""The interpreter that a script names (commit.md 4.2, strategy 3)."""

from __future__ import annotations

import re

_LINES = 5
_VARIABLE = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*=")
_MINOR_VERSION = re.compile(r"(python[0-9])\.[0-9.]+\Z")
_EXEC = re.compile(rb"exec (\w+)[\s'\"]+.*\$0.*\$@")


def interpreter(content: bytes) -> str | None:
    """The base name of the interpreter in the first line, or None."""
    if not content.startswith(b"#!"):
        return None
    words = content.partition(b"\n")[0][2:].split()
    if not words:
        return None
    name = words[0].rpartition(b"/")[2]
    if name == b"env":
        name = _behind_env(words[1:])
    if name == b"sh":
        name = _executed(content) or name
    if name == b"osascript" and b"-l" in words:
        return None
    decoded = name.decode("utf-8", "replace")
    minor = _MINOR_VERSION.match(decoded)
    return minor[1] if minor else decoded or None


def _behind_env(words: list[bytes]) -> bytes:
    for word in words:
        if not word.startswith(b"-") and not _VARIABLE.match(word):
            return word.rpartition(b"/")[2]
    return b""


def _executed(content: bytes) -> bytes | None:
    """What a shell script hands itself over to, as Tcl programs do."""
    for line in content.split(b"\n")[:_LINES]:
        found = _EXEC.search(line)
        if found:
            return found[1]
    return None
