"""Header blocks to lists of fields (RFC 7541)."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from gitaly_py.rpc.http2.hpack import huffman
from gitaly_py.rpc.http2.hpack.errors import HeaderListTooLarge, HpackError
from gitaly_py.rpc.http2.hpack.memo import Chunk, Entry, Field, MakeField, memo_of
from gitaly_py.rpc.http2.hpack.static_table import STATIC_TABLE

DEFAULT_TABLE_SIZE: Final = 4096
DEFAULT_MAX_LIST_SIZE: Final = 16 << 20
FIELD_OVERHEAD: Final = 32

# The first octets of representations, and the bits of their numbers (RFC 7541 6).
_INDEXED: Final = 0x80
_INDEXED_FAR: Final = 0xFF  # the index takes further octets
_INCREMENTAL: Final = 0x40
_INCREMENTAL_BITS: Final = 0x3F
_UPDATE: Final = 0x20
_UPDATE_BITS: Final = 0x1F
_UPDATE_MASK: Final = 0xE0
_PLAIN: Final = 0x00
_PLAIN_BITS: Final = 0x0F
_LENGTH_BITS: Final = 0x7F
_CODED: Final = 0x80
_MAX_SHIFT: Final = 28  # numbers of 35 bits are far beyond anything that can be meant

_FIRST_DYNAMIC: Final = len(STATIC_TABLE) + 1
# In the list of fields an index stands where the octet that means it says: 1 at 0x81, the newest at 0xBE.
_NEWEST: Final = _INDEXED + _FIRST_DYNAMIC
_FAR: Final = _INDEXED + 0x7F  # what an index of several octets counts from

_RUN: Final = 64  # octets looked at together behind a literal
# Neighbours in the table often are in a block: indexes of two octets, or of three with the same last octet.
_pairs: Final = re.compile(rb"(?:\xff[\x00-\x7f])+", re.DOTALL).match
_triples: Final = re.compile(rb"\xff[\x80-\xff]([\x00-\x7f])(?:\xff[\x80-\xff]\1)*", re.DOTALL).match
_LOW_BITS: Final = bytes(range(0x80)) * 2


def text_field(name: bytes, value: bytes) -> Field:
    """Both parts as ISO 8859-1, in which every octet is a character."""
    return name.decode("latin-1"), value.decode("latin-1")


class Decoder:
    """The fields of the header blocks of one connection, which must come in their order.

    make_field: makes a field of a name and a value as they came. Later references, and literals that are
    the same, get what it made before, so it must depend on nothing else; it must not raise.
    table_size: octets the dynamic table may have, as announced in SETTINGS and acknowledged.
    max_list_size: octets a list may have, 32 for each field included (RFC 9113 6.5.2).
    """

    def __init__(
        self,
        *,
        make_field: MakeField = text_field,
        table_size: int = DEFAULT_TABLE_SIZE,
        max_list_size: int = DEFAULT_MAX_LIST_SIZE,
    ) -> None:
        self._make_field = make_field
        self._memo = memo_of(make_field)
        self._max_list_size = max_list_size
        self._table_size = table_size
        self._capacity = min(table_size, DEFAULT_TABLE_SIZE)
        self._update_due: int | None = None
        self._used = 0
        self._largest = 64
        self._fields: list[Field] = [*[("", "")] * (_INDEXED + 1), *self._memo.static]
        self._entries: deque[Entry] = deque()

    @property
    def table_size(self) -> int:
        """Octets that the other side may give the dynamic table."""
        return self._table_size

    @table_size.setter
    def table_size(self, size: int) -> None:
        self._table_size = size
        if size < self._capacity:
            self._update_due = size if self._update_due is None else min(size, self._update_due)

    def decode(self, block: bytes, start: int = 0, stop: int | None = None) -> list[Field]:
        """The fields of block[start:stop]. Raises HpackError, HeaderListTooLarge."""
        if start or stop is not None:
            block = block[start:stop]
        fields: list[Field] = []
        try:
            if self._update_due is not None:
                self._check_update(block, self._update_due)
            self._decode(block, fields)
        except IndexError:
            raise HpackError("an index or a length is beyond the end") from None
        if len(fields) * self._largest + 2 * len(block) > self._max_list_size:
            self._check_size(fields)
        return fields

    def _decode(self, block: bytes, fields: list[Field]) -> None:
        append = fields.append
        table = self._fields
        position, end = 0, len(block)
        run = block
        while True:
            before = len(fields)
            for octet in run:
                if octet <= 0x80 or octet == 0xFF:
                    break
                append(table[octet])
            position += len(fields) - before
            if position == end:
                return
            octet = block[position]
            if octet == 0x00:
                position = self._plain_literals(block, position, fields)
            elif octet == 0x40:
                position = self._incremental_literals(block, position, fields)
            elif octet == 0xFF:
                position = self._far_fields(block, position, fields)
            elif 0x40 < octet < 0x80:
                entry, position = self._literal(block, position, 0x3F)
                append(entry[0])
                self._insert(entry)
            elif octet <= 0x80:
                position = self._other(block, position, fields)
            run = block[position : position + _RUN]

    def _plain_literals(self, block: bytes, position: int, fields: list[Field]) -> int:
        """Literals with a new name and without indexing."""
        chunks = self._memo.chunks
        end = len(block)
        previous: Chunk | None = None
        while position < end and block[position] == 0x00:
            middle = position + 2 + (block[position + 1] & _LENGTH_BITS)
            stop = middle + 1 + (block[middle] & _LENGTH_BITS)
            literal = block[position:stop]
            chunk = chunks.get(literal)
            if chunk is None:
                entry, stop = self._literal(block, position, 0x0F)
                self._memo.add_chunk(block[position:stop], entry[0])
                fields.append(entry[0])
                position = stop
                previous = None
                continue
            if not block.startswith(chunk.following, stop):
                chunk.forget()
            fields += chunk.fields
            position = stop + len(chunk.following)
            if previous is not None and len(chunk.fields) <= previous.room:
                previous.add(literal, chunk)
            else:
                previous = chunk
        return position

    def _incremental_literals(self, block: bytes, position: int, fields: list[Field]) -> int:
        entries = self._memo.entries
        end = len(block)
        while position < end and block[position] == 0x40:
            middle = position + 2 + (block[position + 1] & _LENGTH_BITS)
            stop = middle + 1 + (block[middle] & _LENGTH_BITS)
            entry = entries.get(block[position:stop])
            if entry is None:
                entry, stop = self._literal(block, position, 0x3F)
                self._memo.add_entry(block[position:stop], entry)
            fields.append(entry[0])
            self._insert(entry)
            position = stop
        return position

    def _far_fields(self, block: bytes, position: int, fields: list[Field]) -> int:
        """Indexed fields whose index takes several octets."""
        if run := _pairs(block, position):
            page = self._fields[_FAR : _FAR + 0x80]
            fields += [page[low] for low in run.group()[1::2]]
        elif run := _triples(block, position):
            first = _FAR + 0x80 * block[position + 2]
            page = self._fields[first : first + 0x80]
            fields += [page[low] for low in run.group()[1::3].translate(_LOW_BITS)]
        else:
            index, position = _integer(block, position, 0x7F)
            fields.append(self._fields[_INDEXED + index])
            return position
        return run.end()

    def _other(self, block: bytes, position: int, fields: list[Field]) -> int:
        octet = block[position]
        if octet < 0x20:
            entry, position = self._literal(block, position, 0x0F)
            fields.append(entry[0])
            return position
        if octet == 0x80:
            raise HpackError("index 0")
        if fields:
            raise HpackError("a table size update behind a field")
        size, position = _integer(block, position, 0x1F)
        if size > self._table_size:
            raise HpackError("a table larger than announced")
        self._capacity = size
        self._evict(size)
        return position

    def _literal(self, block: bytes, position: int, bits: int) -> tuple[Entry, int]:
        index = block[position] & bits
        position += 1
        if index == bits:
            index, position = _integer(block, position - 1, bits)
        if index == 0:
            name, position = _string(block, position)
        elif index < _FIRST_DYNAMIC:
            name = STATIC_TABLE[index - 1][0]
        else:
            name = self._entries[index - _FIRST_DYNAMIC][1]
        value, position = _string(block, position)
        return (self._make_field(name, value), name, FIELD_OVERHEAD + len(name) + len(value)), position

    def _insert(self, entry: Entry) -> None:
        size = entry[2]
        used = self._used + size
        if used > self._capacity:
            used = self._evict(self._capacity - size) + size
            if size > self._capacity:
                return
        self._used = used
        if size > self._largest:
            self._largest = size
        self._entries.appendleft(entry)
        self._fields[_NEWEST:_NEWEST] = (entry[0],)

    def _evict(self, rest: int) -> int:
        entries = self._entries
        used = self._used
        while entries and used > rest:
            used -= entries.pop()[2]
        self._used = used
        del self._fields[_NEWEST + len(entries) :]
        return used

    def _check_update(self, block: bytes, largest: int) -> None:
        if block[0] & 0xE0 != 0x20 or _integer(block, 0, 0x1F)[0] > largest:
            raise HpackError("no table size update")
        self._update_due = None

    def _check_size(self, fields: list[Field]) -> None:
        size = sum(FIELD_OVERHEAD + len(name) + len(value) for name, value in fields)
        if size > self._max_list_size:
            raise HeaderListTooLarge(size)


def _integer(block: bytes, position: int, largest: int) -> tuple[int, int]:
    number = block[position] & largest
    position += 1
    if number < largest:
        return number, position
    shift = 0
    while True:
        octet = block[position]
        position += 1
        number += (octet & 0x7F) << shift
        if octet < 0x80:
            return number, position
        shift += 7
        if shift > _MAX_SHIFT:
            raise HpackError("a number out of all bounds")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    octet = block[position]
    length = octet & 0x7F
    position += 1
    if length == 0x7F:
        length, position = _integer(block, position - 1, 0x7F)
    end = position + length
    if end > len(block):
        raise HpackError("truncated")
    text = block[position:end]
    return (huffman.decode(text) if octet >= 0x80 else text), end
