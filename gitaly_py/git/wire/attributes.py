"""All .gitattributes of a tree as one file (diff-conflicts.md 12)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitaly_py.git.wire.quoting import quoted, unquote

_BLANK = b" \t\r\n"
_MACRO = b"[attr]"
_BOM = b"\xef\xbb\xbf"
_RULE = re.compile(rb'("(?:[^"\\]|\\.)*"|[^ \t\r]+)[ \t\r]*(.*)')
_LITERAL = re.compile(rb"[\\*?\[]|\A!")
_NEEDS_QUOTES = re.compile(rb'^#|[\x00-\x20"]')


def merge_attributes(files: Iterable[tuple[bytes, bytes]]) -> bytes:
    """One file with the rules of several, each of which is a folder (empty for the root) and a content.

    What git ignores is left out: macros below the root, and negative patterns.
    """
    by_depth = sorted(files, key=lambda file: file[0].count(b"/") + bool(file[0]))
    rules = (
        _rule(folder, line)
        for folder, content in by_depth
        for line in content.removeprefix(_BOM).split(b"\n")
    )
    return b"".join(rule + b"\n" for rule in rules if rule)


def _rule(folder: bytes, line: bytes) -> bytes:
    """A line of the file in `folder` from the root's point of view; empty if it says nothing."""
    line = line.strip(_BLANK)
    found = _RULE.fullmatch(line)
    if found is None or line.startswith(b"#"):
        return b""
    if not folder:
        return line
    pattern = unquote(found[1])
    if pattern.startswith((b"!", _MACRO)):
        return b""
    anywhere = b"/" not in pattern.removesuffix(b"/")
    below = _LITERAL.sub(rb"\\\g<0>", folder) + (b"/**/" if anywhere else b"/") + pattern.removeprefix(b"/")
    return b"%s %s" % (quoted(below) if _NEEDS_QUOTES.search(below) else below, found[2])
