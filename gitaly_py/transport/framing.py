"""How a client's bytes travel in a side channel: length-prefixed, with an end mark (transport.md 1.8)."""

from __future__ import annotations

import re
from typing import Final

from gitaly_py.transport.errors import InvalidFrame
from gitaly_py.transport.wire import Buffer

END: Final = b"0000"  # end of the client's data
HEADER_SIZE: Final = 4
MAX_LENGTH: Final = 65520  # header included
MAX_PAYLOAD: Final = MAX_LENGTH - HEADER_SIZE

_HEX: Final = re.compile(rb"[0-9a-fA-F]{4}")


def framed(data: Buffer) -> bytes:
    """`data` in as few frames as it takes; nothing for no data."""
    view = memoryview(data)
    parts: list[bytes | memoryview] = []
    for start in range(0, len(view), MAX_PAYLOAD):
        payload = view[start : start + MAX_PAYLOAD]
        parts += (b"%04x" % (len(payload) + HEADER_SIZE), payload)
    return b"".join(parts)


class Deframer:
    """Takes the frames off. Without I/O; input may be cut anywhere."""

    def __init__(self) -> None:
        self._ended = False
        self._header = b""
        self._left = 0  # of the current payload

    @property
    def ended(self) -> bool:
        """The end mark has come; whatever follows it is ignored."""
        return self._ended

    def receive_data(self, data: bytes) -> bytes:
        """The payload bytes in `data`, perhaps none. Raises InvalidFrame."""
        parts: list[bytes] = []
        offset = 0
        while offset < len(data) and not self._ended:
            if self._left:
                part = data[offset : offset + self._left]
                self._left -= len(part)
                parts.append(part)
            else:
                part = data[offset : offset + HEADER_SIZE - len(self._header)]
                self._take_header(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _take_header(self, part: bytes) -> None:
        self._header += part
        if len(self._header) < HEADER_SIZE:
            return
        length = int(self._header, 16) if _HEX.fullmatch(self._header) else -1
        if length == 0:
            self._ended = True
        elif HEADER_SIZE <= length <= MAX_LENGTH:
            self._left = length - HEADER_SIZE
        else:
            raise InvalidFrame(self._header)
        self._header = b""
