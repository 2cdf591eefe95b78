"""Looking up one entry of a raw tree, without making a list of all of them."""

from __future__ import annotations

import re

from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat, TreeEntry

_ENTRIES = {
    each.name: re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % each.raw_length, re.DOTALL)
    for each in (SHA1, SHA256)
}


def find_entry(tree: bytes, name: bytes, object_format: ObjectFormat) -> TreeEntry | None:
    """The entry of that name in a raw tree object."""
    if b" " + name + b"\0" not in tree:
        return None
    for mode, entry, oid in _ENTRIES[object_format.name].findall(tree):
        if entry == name:
            return TreeEntry(int(mode, 8), entry, oid.hex())
    return None
