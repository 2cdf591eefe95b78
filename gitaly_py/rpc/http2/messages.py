"""gRPC messages in the body of a request or response (gRPC over HTTP/2, Length-Prefixed-Message)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from struct import Struct
from typing import Final

PREFIX_BYTES: Final = 5
SMALL_PART: Final = 256
JOINED_PARTS: Final = 4096
ENCODINGS: Final = "identity,gzip"

_prefix = Struct(">BI")
_GZIP = 31  # zlib's word for a gzip header around the largest window


class MessageError(Exception):
    """A request's body that can't be read as messages."""


class MessageTooLarge(MessageError):
    """A message is larger than allowed, or would be once it is decompressed."""


Decompress = Callable[[bytes, int], bytes]
"""Takes a message and its greatest size. Raises MessageError."""


def prefix(size: int) -> bytes:
    """What stands in front of an uncompressed message of `size` octets."""
    return _prefix.pack(0, size)


def keep(parts: MutableSequence[bytes | memoryview], data: bytes | memoryview) -> None:
    """Appends `data` to what is kept. Small pieces are joined: each would cost many times its size."""
    if parts and len(data) < SMALL_PART and len(parts[-1]) < JOINED_PARTS:
        parts[-1] = bytes(parts[-1]) + data
    else:
        parts.append(data)


class MessageReader:
    """Puts messages together from the data of one stream.

    max_size: octets of a message, before and after decompression. decompress: for messages that are flagged
    as compressed; None when the client named no encoding.
    """

    __slots__ = ("_decompress", "_flag", "_max_size", "_missing", "_parts", "_size", "_start")

    def __init__(self, max_size: int, decompress: Decompress | None) -> None:
        self._max_size = max_size
        self._decompress = decompress
        self._start = b""
        self._parts: list[bytes | memoryview] | None = None
        self._flag = self._size = self._missing = 0

    @property
    def incomplete(self) -> bool:
        """A message has begun and not ended."""
        return bool(self._start) or self._parts is not None

    def feed(self, data: bytes | memoryview) -> Iterable[tuple[bytes, int]]:
        """The messages that are complete with `data`, each with the octets it took. Take them all.

        Raises MessageError behind the messages in front of the fault.
        """
        if self._parts is None:
            size = len(data) - PREFIX_BYTES
            if 0 <= size <= self._max_size and not self._start and data[:PREFIX_BYTES] == prefix(size):
                return ((bytes(data[PREFIX_BYTES:]), len(data)),)  # one whole message, as most data is
        elif len(data) < self._missing:
            keep(self._parts, data)
            self._missing -= len(data)
            return ()
        return self._completed(data)

    def _completed(self, data: bytes | memoryview) -> Iterator[tuple[bytes, int]]:
        if self._start:
            data, self._start = self._start + data, b""
        position, end = 0, len(data)
        while True:
            if self._parts is None:
                if end - position < PREFIX_BYTES:
                    self._start = bytes(data[position:])
                    return
                self._begin(*_prefix.unpack_from(data, position))
                position += PREFIX_BYTES
            part = data[position : position + self._missing]
            position += len(part)
            message = self._add(part)
            if message is None:
                return
            yield message, self._size + PREFIX_BYTES

    def _begin(self, flag: int, size: int) -> None:
        if size > self._max_size:
            raise MessageTooLarge(f"grpc: received message larger than max ({size} vs. {self._max_size})")
        self._flag = flag
        self._size = self._missing = size
        self._parts = []

    def _add(self, part: bytes | memoryview) -> bytes | None:
        """The message, if `part` completes it; its octets are copied once."""
        assert self._parts is not None
        self._missing -= len(part)
        if self._missing:
            keep(self._parts, part)
            return None
        message = b"".join((*self._parts, part)) if self._parts or not isinstance(part, bytes) else part
        self._parts = None
        return self._plain(self._flag, message) if self._flag else message

    def _plain(self, flag: int, message: bytes) -> bytes:
        if flag != 1:
            raise MessageError(f"grpc: received unexpected payload format {flag}")
        if self._decompress is None:
            raise MessageError("grpc: compressed flag set with identity or empty encoding")
        return self._decompress(message, self._max_size)


def gunzip(message: bytes, max_size: int) -> bytes:
    """Decompresses one message, and no more of it than is allowed. Raises MessageError."""
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(message, max_size + 1)
    except zlib.error as error:
        raise MessageError(f"grpc: failed to decompress the received message: {error}") from error
    if len(plain) > max_size:
        raise MessageTooLarge(f"grpc: received message after decompression larger than max {max_size}")
    if not stream.eof:
        raise MessageError("grpc: failed to decompress the received message: unexpected EOF")
    if stream.unused_data:
        raise MessageError("grpc: failed to decompress the received message: more data behind its end")
    return plain
