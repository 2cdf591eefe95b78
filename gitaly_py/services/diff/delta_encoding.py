"""CommitDelta messages of raw lines, many thousands of them in no time (diff-conflicts.md 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gitaly_py.git.wire.diff.entries import RawFields, split_raw
from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.objects import ObjectFormat
from gitaly_py.git.wire.quoting import unquote
from gitaly_py.pb.diff_pb2 import CommitDelta, CommitDeltaResponse
from gitaly_py.rpc.packer import EncodedMessage, field_prefixes

_BATCH_BYTES = 5120
_MODES_BYTES = 8
_NO_MODE = b"000000"
_QUOTED = b'"'
_MODES_AT: Final = slice(1, 14)
_OLD_AT: Final = 15


class _Shape(NamedTuple):
    """What deltas have in common whose modes and the length of whose one path are the same.

    head, middle: before the path, which comes twice. from_id, to_id: before the ids. tail: the modes.
    size: of a delta, as batches count it.
    """

    head: bytes
    middle: bytes
    from_id: bytes
    to_id: bytes
    tail: bytes
    size: int


class Batches:
    """Puts deltas together until there are enough for a message."""

    def __init__(self, object_format: ObjectFormat) -> None:
        length = object_format.hex_length
        self._plain = re.compile(
            rb'(?::[0-7]{6} [0-7]{6} [0-9a-f ]{%d}[ADMUX]\t[^"\t\n][^\t\n]*+\n)*+' % (2 * length + 2)
        )
        self._old = slice(_OLD_AT, _OLD_AT + length)
        self._new = slice(self._old.stop + 1, self._old.stop + 1 + length)
        self._path_at = self._new.stop + len(" M\t")
        self._shapes: dict[tuple[bytes, int], _Shape] = {}
        self._zeros = object_format.zero_oid.encode()
        self._ids = _FROM_ID(object_format.hex_length), _TO_ID(object_format.hex_length)
        self._fixed = 2 * object_format.hex_length + _MODES_BYTES
        self._modes: dict[tuple[bytes, bytes], bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[EncodedMessage]:
        """The messages that are full with these bytes of raw lines. Raises MalformedDiff."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        lines = data[:end]
        if self._plain.fullmatch(lines):
            yield from self._add_plain(lines)
            return
        for fields in split_raw(lines):
            if fields[4] == b"T":
                yield from self._add_halves(fields)
            else:
                self._add(fields)
                if self._size > _BATCH_BYTES:
                    yield self._taken()

    def finish(self) -> Iterator[EncodedMessage]:
        """The last message, if anything is left for it. Raises MalformedDiff."""
        if self._rest:
            raise MalformedDiff("raw line without an end")
        if self._parts:
            yield self._taken()

    def _add_plain(self, lines: bytes) -> Iterator[EncodedMessage]:
        """Lines of one path each that needs no quotes, in half the time that it takes for any."""
        shapes, parts, old, new, path_at = self._shapes, self._parts, self._old, self._new, self._path_at
        for line in lines.split(b"\n")[:-1]:
            path = line[path_at:]
            shape = shapes.get((line[_MODES_AT], len(path)))
            head, middle, from_id, to_id, tail, size = shape or self._shape(line[_MODES_AT], len(path))
            parts += (head, path, middle, path, from_id, line[old], to_id, line[new], tail)
            self._size += size
            if self._size > _BATCH_BYTES:
                yield self._taken()

    def _shape(self, modes: bytes, length: int) -> _Shape:
        old_mode, _, new_mode = modes.partition(b" ")
        id_length = self._old.stop - self._old.start
        middle, tail = _TO_PATH(length), self._modes_of(old_mode, new_mode)
        from_id, to_id = self._ids
        begin = _FROM_PATH(length)
        whole = len(begin + middle + from_id + to_id + tail) + 2 * (length + id_length)
        shape = _Shape(_DELTA(whole) + begin, middle, from_id, to_id, tail, self._fixed + 2 * length)
        self._shapes[modes, length] = shape
        return shape

    def _add_halves(self, fields: RawFields) -> Iterator[EncodedMessage]:
        old_mode, new_mode, old, new, status, source, target = fields
        for half in (
            (old_mode, _NO_MODE, old, self._zeros, status, source, target),
            (_NO_MODE, new_mode, self._zeros, new, status, source, target),
        ):
            self._add(half)
            if self._size > _BATCH_BYTES:
                yield self._taken()

    def _add(self, fields: RawFields) -> None:
        old_mode, new_mode, old, new, _, source, target = fields
        if source.startswith(_QUOTED):
            source = unquote(source)
        target = unquote(target) if target else source
        modes = self._modes_of(old_mode, new_mode)
        from_id, to_id = self._ids
        delta = b"".join(
            (
                _FROM_PATH(len(source)), source, _TO_PATH(len(target)), target,
                from_id, old, to_id, new, modes,
            )
        )  # fmt: skip
        self._parts += (_DELTA(len(delta)), delta)
        self._size += self._fixed + len(source) + len(target)

    def _modes_of(self, old_mode: bytes, new_mode: bytes) -> bytes:
        known = self._modes.get((old_mode, new_mode))
        if known is None:
            delta = CommitDelta(old_mode=int(old_mode, 8), new_mode=int(new_mode, 8))
            known = self._modes[old_mode, new_mode] = delta.SerializeToString()
        return known

    def _taken(self) -> EncodedMessage:
        message = EncodedMessage(b"".join(self._parts))
        self._parts.clear()
        self._size = 0
        return message


_DELTA = field_prefixes(CommitDeltaResponse.DELTAS_FIELD_NUMBER)
_FROM_PATH = field_prefixes(CommitDelta.FROM_PATH_FIELD_NUMBER)
_TO_PATH = field_prefixes(CommitDelta.TO_PATH_FIELD_NUMBER)
_FROM_ID = field_prefixes(CommitDelta.FROM_ID_FIELD_NUMBER, 65)
_TO_ID = field_prefixes(CommitDelta.TO_ID_FIELD_NUMBER, 65)
