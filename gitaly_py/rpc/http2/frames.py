"""The layout of HTTP/2 frames: numbers of RFC 9113 4.1, 6 and 6.5.2, and encoders of what a server sends."""

from __future__ import annotations

from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9
MIN_FRAME_SIZE: Final = 1 << 14  # every peer takes frames of this size
MAX_FRAME_SIZE: Final = (1 << 24) - 1
MAX_WINDOW: Final = (1 << 31) - 1
DEFAULT_WINDOW: Final = 65535
DEFAULT_TABLE_SIZE: Final = 4096

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY_FLAG: Final = 0x20

HEADER_TABLE_SIZE: Final = 0x1
ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE_SETTING: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6

header = Struct(">BHBBI")  # length in two parts, type, flags, stream
setting = Struct(">HI")
_number = Struct(">I")
_with_number = Struct(">BHBBII")  # a frame whose payload is one 32-bit number

SETTINGS_ACK: Final = header.pack(0, 0, SETTINGS, ACK, 0)


def frame_header(length: int, kind: int, flags: int, stream: int) -> bytes:
    """The nine octets in front of a payload of `length` octets."""
    return header.pack(length >> 16, length & 0xFFFF, kind, flags, stream)


def headers(stream: int, block: bytes, *, end: bool, max_frame_size: int) -> bytes:
    """A header block as a HEADERS frame, with CONTINUATION frames where it is larger than a frame may be."""
    ended = END_STREAM if end else 0
    length = len(block)
    if length <= max_frame_size:
        return header.pack(length >> 16, length & 0xFFFF, HEADERS, END_HEADERS | ended, stream) + block
    parts = [block[start : start + max_frame_size] for start in range(0, length, max_frame_size)]
    first, *middle, last = parts
    frames = [frame_header(len(first), HEADERS, ended, stream), first]
    for part in middle:
        frames += frame_header(len(part), CONTINUATION, 0, stream), part
    frames += frame_header(len(last), CONTINUATION, END_HEADERS, stream), last
    return b"".join(frames)


def response(stream: int, block: bytes, message: bytes, trailers: bytes) -> bytes:
    """Header block, body and trailers, each in one frame."""
    pack = header.pack
    size, length, rest = len(message), len(block), len(trailers)
    return b"".join(
        (
            pack(length >> 16, length & 0xFFFF, HEADERS, END_HEADERS, stream),
            block,
            pack(size >> 16, size & 0xFFFF, DATA, 0, stream),
            message,
            pack(rest >> 16, rest & 0xFFFF, HEADERS, END_HEADERS | END_STREAM, stream),
            trailers,
        )
    )


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join(setting.pack(*item) for item in values.items())
    return frame_header(len(payload), SETTINGS, 0, 0) + payload


def rst_stream(stream: int, code: int) -> bytes:
    """Ends a stream at once."""
    return _with_number.pack(0, 4, RST_STREAM, 0, stream, code)


def window_update(stream: int, credit: int) -> bytes:
    """Lets the peer send `credit` octets more."""
    return _with_number.pack(0, 4, WINDOW_UPDATE, 0, stream, credit)


def ping(opaque: bytes, *, ack: bool = False) -> bytes:
    """A ping of eight octets, or the answer to one."""
    return frame_header(8, PING, ACK if ack else 0, 0) + opaque


def goaway(last_stream: int, code: int, text: bytes = b"") -> bytes:
    """No stream above `last_stream` is, or will be, served."""
    payload = _number.pack(last_stream) + _number.pack(code) + text
    return frame_header(len(payload), GOAWAY, 0, 0) + payload
