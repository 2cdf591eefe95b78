"""Objects for one git process, in an object directory that is deleted after it."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable

from gitaly_py.git.wire.objects import ObjectFormat


def write_object(object_directory: str, object_format: ObjectFormat, kind: str, data: bytes) -> str:
    """Writes a loose object that need not survive a crash; its id. kind: blob, tree, commit or tag."""
    whole = b"%s %d\0%s" % (kind.encode(), len(data), data)
    oid = hashlib.new(object_format.name, whole, usedforsecurity=False).hexdigest()
    folder = os.path.join(object_directory, oid[:2])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, oid[2:]), "wb") as file:
        file.write(zlib.compress(whole, zlib.Z_BEST_SPEED))
    return oid


def write_tree(
    object_directory: str, object_format: ObjectFormat, entries: Iterable[tuple[int, bytes, str]]
) -> str:
    """Writes a tree of (mode, name, oid), given in git's order, whether or not the objects exist; its id."""
    data = b"".join(b"%o %s\0%s" % (mode, name, bytes.fromhex(oid)) for mode, name, oid in entries)
    return write_object(object_directory, object_format, "tree", data)
