"""Looking up one entry of a raw tree, without making a list of all of them."""

from __future__ import annotations

import re

from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat, TreeEntry

_WHOLE_ENTRIES = {
    each.name: re.compile(rb"(?:[0-7]+ [^\0]+\0.{%d})*+" % each.raw_length, re.DOTALL)
    for each in (SHA1, SHA256)
}
_MODE = re.compile(rb"[0-7]+")


def find_entry(tree: bytes, name: bytes, object_format: ObjectFormat) -> TreeEntry | None:
    """The entry of that name in a raw tree object; none is found behind what breaks a broken tree."""
    wanted = b" " + name + b"\0"
    whole = _WHOLE_ENTRIES[object_format.name]
    behind = 0
    at = tree.find(wanted)
    while at >= 0:
        # An id, too, may contain the name: it is one if whole entries and a mode are all that is in front.
        match = whole.match(tree, behind, at)
        behind = match.end() if match else behind
        if _MODE.fullmatch(tree, behind, at):
            oid = tree[at + len(wanted) :][: object_format.raw_length]
            whole_oid = len(oid) == object_format.raw_length
            return TreeEntry(int(tree[behind:at], 8), name, oid.hex()) if whole_oid else None
        at = tree.find(wanted, at + 1)
    return None
