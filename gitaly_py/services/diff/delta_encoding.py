"""CommitDelta messages of raw lines, many thousands of them in no time (diff-conflicts.md 3)."""

from __future__ import annotations

from collections.abc import Iterator

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


class Batches:
    """Puts deltas together until there are enough for a message."""

    def __init__(self, object_format: ObjectFormat) -> None:
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
        for fields in split_raw(data[:end]):
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
        modes = self._modes.get((old_mode, new_mode)) or self._encoded_modes(old_mode, new_mode)
        from_id, to_id = self._ids
        delta = b"".join(
            (
                _FROM_PATH(len(source)), source, _TO_PATH(len(target)), target,
                from_id, old, to_id, new, modes,
            )
        )  # fmt: skip
        self._parts += (_DELTA(len(delta)), delta)
        self._size += self._fixed + len(source) + len(target)

    def _encoded_modes(self, old_mode: bytes, new_mode: bytes) -> bytes:
        delta = CommitDelta(old_mode=int(old_mode, 8), new_mode=int(new_mode, 8))
        encoded = self._modes[old_mode, new_mode] = delta.SerializeToString()
        return encoded

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
