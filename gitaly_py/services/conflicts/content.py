"""The content of a conflict as clients show it (diff-conflicts.md 10.3)."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from gitaly_py.git.reading.interface import Reader
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import FailedPrecondition


async def check_encoding(reader: Reader, oid: str) -> None:
    """Raises FailedPrecondition when the object is not UTF-8, and ObjectNotFound."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    async with aclosing(reader.content(oid)) as pieces:
        try:
            async for piece in pieces:
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise FailedPrecondition("unsupported encoding") from error


async def with_replacements(
    reader: Reader, oid: str, replacements: Iterable[tuple[bytes, bytes]]
) -> AsyncGenerator[bytes, None]:
    """The object with each of the given texts replaced by another, one after the other.

    All pieces but the last have STREAM_BYTES. Raises ObjectNotFound. Use contextlib.aclosing.
    """
    stages = [Replacement(old, new) for old, new in replacements]
    buffer = bytearray()
    async with aclosing(reader.content(oid)) as pieces:
        async for piece in pieces:
            buffer += _through(stages, piece)
            while len(buffer) >= STREAM_BYTES:
                yield bytes(buffer[:STREAM_BYTES])
                del buffer[:STREAM_BYTES]
    rest = b""
    for stage in stages:
        rest = stage.feed(rest) + stage.end()
    buffer += rest
    for start in range(0, len(buffer), STREAM_BYTES):
        yield bytes(buffer[start : start + STREAM_BYTES])


def _through(stages: Iterable[Replacement], piece: bytes) -> bytes:
    for stage in stages:
        piece = stage.feed(piece)
    return piece


class Replacement:
    """Replaces `old` by `new` in a text that comes in pieces, wherever those are cut."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self._old = old
        self._new = new
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What can be said of the text so far. What may be the beginning of `old` is held back."""
        *parts, last = (self._held + piece).split(self._old)
        certain = max(0, len(last) - len(self._old) + 1)
        self._held = last[certain:]
        return self._new.join([*parts, last[:certain]])

    def end(self) -> bytes:
        """What was held back."""
        held, self._held = self._held, b""
        return held
