"""Header blocks to lists of fields (RFC 7541).

The first octet of a representation says what it is (6), and the bits behind that are an index or a size:

    0x80  indexed field                       0x10  literal that must never be indexed
    0x40  literal with incremental indexing   0x00  literal without indexing
    0x20  dynamic table size update
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

from gitaly_py.rpc.http2.hpack.errors import HeaderListTooLarge, HpackError, TooManyFields
from gitaly_py.rpc.http2.hpack.huffman import decode as huffman_decode
from gitaly_py.rpc.http2.hpack.memo import Chunk, Entry, Field, MakeField, memo_of
from gitaly_py.rpc.http2.hpack.primitives import decode_integer, decode_string
from gitaly_py.rpc.http2.hpack.table import FIRST, Table

DEFAULT_TABLE_SIZE: Final = 4096
DEFAULT_MAX_LIST_SIZE: Final = 16 << 20
MAX_UPDATES: Final = 8  # in front of a block; two say everything (4.2), some senders repeat themselves
MIN_MAX_FIELDS: Final = 1024
MEAN_FIELD: Final = 1024  # octets; a list of many smaller ones ends the connection long before it is full
FIELD_OVERHEAD: Final = 32  # of an entry (4.1) as of a field in a list (RFC 9113 6.5.2)

# Fields that were neighbours before are so again, and have moved together: their indexes take two octets
# each, or three of which the last is the same. Such a run is a page of the table.
_pairs: Final = re.compile(rb"(?:\xff[\x00-\x7f])+", re.DOTALL).match
_triples: Final = re.compile(rb"\xff[\x80-\xff]([\x00-\x7f])(?:\xff[\x80-\xff]\1)*", re.DOTALL).match
_PAGE: Final = 0x80
_FIRST_PAGE: Final = FIRST + 0x7F
_LOW_BITS: Final = bytes(range(_PAGE)) * 2


def text_field(name: bytes, value: bytes) -> Field:
    """Both parts as ISO 8859-1, in which every octet is a character."""
    return name.decode("latin-1"), value.decode("latin-1")


class Decoder:
    """The fields of the header blocks of one connection, which must come in their order.

    make_field: makes a field of a name and a value as they came. References and repeated literals get
    what it made before, on any connection, so it must depend on nothing else; it must not raise.
    table_size: octets the dynamic table may have, as announced in SETTINGS and acknowledged.
    max_list_size: octets a list may have, those of its fields as they were made and 32 for each. It bounds
    the number of fields as well: decoding a block takes time by the field, during which nothing else runs.
    """

    __slots__ = (
        "_make_field",
        "_max_fields",
        "_max_list_size",
        "_memo",
        "_table",
        "_table_size",
        "_update_due",
    )

    def __init__(
        self,
        *,
        make_field: MakeField = text_field,
        table_size: int = DEFAULT_TABLE_SIZE,
        max_list_size: int = DEFAULT_MAX_LIST_SIZE,
    ) -> None:
        self._make_field = make_field
        self._memo = memo_of(make_field)
        self._table = Table(self._memo.static, min(table_size, DEFAULT_TABLE_SIZE))
        self._table_size = table_size
        self._max_list_size = max_list_size
        self._max_fields = max(max_list_size // MEAN_FIELD, MIN_MAX_FIELDS)
        self._update_due: int | None = None

    @property
    def table_size(self) -> int:
        """Octets that the sender may give the dynamic table. It must say so when it loses some (4.2)."""
        return self._table_size

    @table_size.setter
    def table_size(self, size: int) -> None:
        self._table_size = size
        if size < self._table.capacity:
            self._update_due = size if self._update_due is None else min(size, self._update_due)

    def decode(self, block: bytes, start: int = 0, stop: int | None = None) -> list[Field]:
        """The fields of block[start:stop].

        Raises HpackError, after which the decoder is of no use, and HeaderListTooLarge, after which it is.
        """
        if start or stop is not None:
            block = block[start:stop]
        fields: list[Field] = []
        try:
            if self._update_due is not None:
                self._check_update(block, self._update_due)
            self._decode(block, fields)
        except IndexError:
            raise HpackError("index or length beyond the end") from None
        # No field is larger than the largest entry and what Huffman code makes of its own octets.
        if len(fields) * self._table.largest + 2 * len(block) > self._max_list_size:
            self._check_size(fields)
        return fields

    def _decode(self, block: bytes, fields: list[Field]) -> None:
        table = self._table.fields
        octets: Any = iter(block)  # the quickest way over single octets; literals make it jump
        for octet in islice(octets, self._max_fields):
            if octet > 0x80 and octet != 0xFF:
                fields.append(table[octet])
                continue
            position = len(block) - octets.__length_hint__() - 1
            if octet == 0x00:
                position = self._decode_plain(block, position, fields)
            elif octet == 0x40:
                position = self._decode_incremental(block, position, fields)
            elif octet == 0xFF:
                position = self._decode_far(block, position, fields)
            elif 0x40 < octet < 0x80:
                entry, position = self._decode_literal(block, position, 0x3F)
                fields.append(entry[0])
                self._table.insert(entry)
            else:
                position = self._decode_rare(block, position, fields)
            octets.__setstate__(position)
            if len(fields) > self._max_fields:
                break
        if octets.__length_hint__():
            raise TooManyFields(f"more than {self._max_fields} fields")

    def _decode_plain(self, block: bytes, position: int, fields: list[Field]) -> int:
        """Literals without indexing and with a name of their own."""
        chunks = self._memo.chunks
        size = len(block)
        previous: Chunk | None = None
        while position < size and block[position] == 0x00 and len(fields) <= self._max_fields:
            middle = position + 2 + (block[position + 1] & 0x7F)
            end = middle + 1 + (block[middle] & 0x7F)
            literal = block[position:end]
            chunk = chunks.get(literal)
            if chunk is None:
                entry, end = self._decode_literal(block, position, 0x0F)
                fields.append(entry[0])
                self._memo.add_chunk(block[position:end], entry[0])
                position = end
                previous = None
                continue
            if not block.startswith(chunk.following, end):
                chunk.forget()
            fields += chunk.fields
            position = end + len(chunk.following)
            if previous is not None and len(chunk.fields) <= previous.room:
                previous.add(literal, chunk)
            else:
                previous = chunk
        return position

    def _decode_incremental(self, block: bytes, position: int, fields: list[Field]) -> int:
        """Literals with incremental indexing and with a name of their own."""
        known = self._memo.entries
        size = len(block)
        entries: list[Entry] = []
        while position < size and block[position] == 0x40 and len(entries) <= self._max_fields:
            middle = position + 2 + (block[position + 1] & 0x7F)
            end = middle + 1 + (block[middle] & 0x7F)
            entry = known.get(block[position:end])
            if entry is None:
                entry, end = self._decode_literal(block, position, 0x3F)
                self._memo.add_entry(block[position:end], entry)
            entries.append(entry)
            position = end
        fields += [entry[0] for entry in entries]
        self._table.insert_all(entries)
        return position

    def _decode_far(self, block: bytes, position: int, fields: list[Field]) -> int:
        """Indexed fields whose indexes take several octets."""
        table = self._table.fields
        if block[position + 1] < 0x80:
            first, step = _FIRST_PAGE, 2
            run = _pairs(block, position, position + 2 * self._max_fields)
        else:
            first, step = _FIRST_PAGE + block[position + 2] * _PAGE, 3
            run = _triples(block, position, position + 3 * self._max_fields)
        if run is None:
            index, position = decode_integer(block, position, 0x7F)
            fields.append(table[FIRST + index])
            return position
        page = table[first : first + _PAGE]
        fields += [page[low] for low in run.group()[1::step].translate(_LOW_BITS)]
        return run.end()

    def _decode_rare(self, block: bytes, position: int, fields: list[Field]) -> int:
        octet = block[position]
        if octet == 0x80:
            raise HpackError("index 0")
        if octet < 0x20:
            entry, position = self._decode_literal(block, position, 0x0F)
            fields.append(entry[0])
            return position
        if fields:
            raise HpackError("table size update behind a field")
        return self._decode_updates(block, position)

    def _decode_updates(self, block: bytes, position: int) -> int:
        for _ in range(MAX_UPDATES):
            size, position = decode_integer(block, position, 0x1F)
            if size > self._table_size:
                raise HpackError("table size beyond the setting")
            self._table.resize(size)
            if position == len(block) or block[position] & 0xE0 != 0x20:
                return position
        raise HpackError("too many table size updates")

    def _decode_literal(self, block: bytes, position: int, bits: int) -> tuple[Entry, int]:
        """Any literal, whose first octet has the bits of the mask `bits` for its index; and its end."""
        index = block[position] & bits
        position += 1
        if index == bits:
            index, position = decode_integer(block, position - 1, bits)
        if index:
            name = self._table.name(index)
        else:
            name, position = decode_string(block, position)
        octet = block[position]  # what decode_string does, without the call: most literals have only a value
        length = octet & 0x7F
        position += 1
        if length == 0x7F:
            length, position = decode_integer(block, position - 1, 0x7F)
        end = position + length
        value = block[position:end]
        if len(value) != length:
            raise IndexError
        if octet >= 0x80:
            value = huffman_decode(value)
        return (self._make_field(name, value), name, FIELD_OVERHEAD + len(name) + len(value)), end

    def _check_update(self, block: bytes, largest: int) -> None:
        if block[0] & 0xE0 != 0x20 or decode_integer(block, 0, 0x1F)[0] > largest:
            raise HpackError("no table size update")
        self._update_due = None

    def _check_size(self, fields: list[Field]) -> None:
        size = sum(FIELD_OVERHEAD + len(name) + _length(value) for name, value in fields)
        if size > self._max_list_size:
            raise HeaderListTooLarge(size)


def _length(value: str | bytes | tuple[bytes, ...]) -> int:
    return sum(map(len, value)) if isinstance(value, tuple) else len(value)
