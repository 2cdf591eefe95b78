"""Object formats, and raw trees. For commits and tags see `commits` and `tags`."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedObject


@dataclass(frozen=True, slots=True)
class ObjectFormat:
    """A hash function of git and what follows from it (repository.md A4).

    name: as in `extensions.objectFormat`; hex_length: digits of an object id;
    empty_tree: id of the empty tree.
    """

    name: str
    hex_length: int
    empty_tree: str

    @property
    def raw_length(self) -> int:
        """Bytes of an object id in raw trees."""
        return self.hex_length // 2

    @property
    def zero_oid(self) -> str:
        """The id that stands for "no object"."""
        return "0" * self.hex_length


SHA1 = ObjectFormat("sha1", 40, "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
SHA256 = ObjectFormat("sha256", 64, "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321")
OBJECT_FORMATS = {each.name: each for each in (SHA1, SHA256)}


class TreeEntry(NamedTuple):
    """An entry of a raw tree; mode: as stored, which need not be one git writes today."""

    mode: int
    name: bytes
    oid: str

    @property
    def type(self) -> str:
        """`tree`, `commit` for a submodule, else `blob`."""
        kind = stat.S_IFMT(self.mode)
        if kind == stat.S_IFDIR:
            return "tree"
        return "commit" if kind == SUBMODULE else "blob"


SUBMODULE = 0o160000


def parse_tree(data: bytes, object_format: ObjectFormat) -> list[TreeEntry]:
    """The entries of a raw tree, in stored order. Raises MalformedObject."""
    entries = []
    offset, length = 0, object_format.raw_length
    while offset < len(data):
        space = data.find(b" ", offset)
        end = data.find(b"\0", space + 1)
        stop = end + 1 + length
        if space < 0 or end < 0 or stop > len(data):
            raise MalformedObject("truncated tree")
        mode = _octal(data[offset:space])
        entries.append(TreeEntry(mode, data[space + 1 : end], data[end + 1 : stop].hex()))
        offset = stop
    return entries


def _octal(digits: bytes) -> int:
    if not digits or digits.strip(b"01234567"):
        raise MalformedObject(f"bad mode {digits!r} in tree")
    return int(digits, 8)
