"""What literals that came before decode to: clients send most of their fields again with each request."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from gitaly_py.rpc.http2.hpack.static_table import STATIC_TABLE

Field = tuple[str, str | bytes | tuple[bytes, ...]]
MakeField = Callable[[bytes, bytes], Field]
# What the dynamic table keeps of a literal: the field, its name as it came, its size (RFC 7541 4.1).
Entry = tuple[Field, bytes, int]

MAX_LITERALS: Final = 1024
MAX_OCTETS: Final = 128  # so that lengths take an octet each, which is what the decoder looks for
CHUNK: Final = 8  # few enough that one field that differs from request to request costs little


class Chunk:
    """A literal without indexing, and the literals that followed it when it came last.

    following: their octets; fields: its own and theirs; room: fields that may still be added.
    """

    __slots__ = ("fields", "following", "room")

    def __init__(self, field: Field) -> None:
        self.following = b""
        self.fields = [field]
        self.room = CHUNK - 1

    def add(self, literal: bytes, chunk: Chunk) -> None:
        """Takes in a chunk, which begins with `literal`, that came directly behind this one."""
        self.following += literal + chunk.following
        self.fields += chunk.fields
        self.room -= len(chunk.fields)

    def forget(self) -> None:
        """Something else followed. It may do so again, so nothing is added henceforth."""
        self.following = b""
        del self.fields[1:]
        self.room = 0


class Memo:
    """Literals by their octets. All are forgotten when there are too many; never indexed ones don't enter.

    static: the fields of the static table.
    """

    __slots__ = ("chunks", "entries", "static")

    def __init__(self, make_field: MakeField) -> None:
        self.static = [make_field(name, value) for name, value in STATIC_TABLE]
        self.entries: dict[bytes, Entry] = {}
        self.chunks: dict[bytes, Chunk] = {}

    def add_entry(self, literal: bytes, entry: Entry) -> None:
        """A literal with incremental indexing."""
        if len(literal) <= MAX_OCTETS:
            if len(self.entries) >= MAX_LITERALS:
                self.entries.clear()
            self.entries[literal] = entry

    def add_chunk(self, literal: bytes, field: Field) -> None:
        """A literal without indexing."""
        if len(literal) <= MAX_OCTETS:
            if len(self.chunks) >= MAX_LITERALS:
                self.chunks.clear()
            self.chunks[literal] = Chunk(field)


@lru_cache(maxsize=8)
def memo_of(make_field: MakeField) -> Memo:
    """The memo that all connections with this function share."""
    return Memo(make_field)
