"""What goes wrong on an HTTP/2 connection (RFC 9113 5.4 and 7).

Http2Error
├── ConnectionFault    the connection is over: GOAWAY with `code`
└── StreamFault        one stream is over: RST_STREAM with `code`
"""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """RFC 9113 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Http2Error(Exception):
    """Root of this package's errors.

    reason: one of a fixed set of short texts, which is also the label of the metric.
    """

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(f"{code.name}: {reason}")
        self.code = code
        self.reason = reason


class ConnectionFault(Http2Error):
    """An error after which nothing on the connection can be trusted."""


class StreamFault(Http2Error):
    """An error of one stream; the others go on."""

    def __init__(self, stream: int, code: ErrorCode, reason: str) -> None:
        super().__init__(code, reason)
        self.stream = stream
