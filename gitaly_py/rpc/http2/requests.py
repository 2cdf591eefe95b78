"""A request's header fields as gRPC reads them (gRPC over HTTP/2, Requests)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grpc import StatusCode

from gitaly_py.rpc.exchange import Value
from gitaly_py.rpc.http2.messages import ENCODINGS, Decompress, gunzip

_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MAX_TIMEOUT_DIGITS = 8
_DECOMPRESS: Final[Mapping[str, Decompress | None]] = {"": None, "identity": None, "gzip": gunzip}


class NotServed(Exception):
    """A request that is answered before anybody looks for its method.

    http_status: what its response has; extra: further response fields.
    """

    def __init__(
        self,
        code: StatusCode,
        message: str,
        *,
        http_status: int = 200,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status
        self.extra = extra


@dataclass(slots=True)
class Request:
    """timeout: seconds the client waits, None for ever."""

    path: str
    timeout: float | None
    decompress: Decompress | None


def read(fields: Mapping[str, Value]) -> Request:
    """Raises NotServed."""
    content_type = fields.get("content-type", "")
    if content_type != "application/grpc":
        _check_content_type(content_type)
    if fields[":method"] != "POST":
        raise NotServed(
            StatusCode.INTERNAL,
            f"Received a HEADERS frame with :method {str(fields[':method'])!r} which should be POST",
            http_status=405,
        )
    timeout = fields.get("grpc-timeout")
    encoding = fields.get("grpc-encoding", "")
    if encoding not in _DECOMPRESS:
        raise NotServed(
            StatusCode.UNIMPLEMENTED,
            f'grpc: Decompressor is not installed for grpc-encoding "{encoding!s}"',
            extra=(("grpc-accept-encoding", ENCODINGS),),
        )
    path = fields[":path"]
    assert isinstance(path, str)
    return Request(path, None if timeout is None else _seconds(timeout), _DECOMPRESS[str(encoding)])


def _check_content_type(value: Value) -> None:
    """`application/grpc`, alone or with `+` or `;` and something that we don't tell apart."""
    text = value if isinstance(value, str) else ""
    lowered = text.lower()
    if lowered[:16] != "application/grpc" or lowered[16:17] not in ("", "+", ";"):
        raise NotServed(
            StatusCode.INVALID_ARGUMENT, f'invalid gRPC request content-type "{text}"', http_status=415
        )


def _seconds(value: Value) -> float:
    if isinstance(value, str):
        digits, unit = value[:-1], value[-1:]
        if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_TIMEOUT_DIGITS and unit in _UNITS:
            return int(digits) * _UNITS[unit]
    raise NotServed(StatusCode.INTERNAL, f'malformed grpc-timeout: "{value!s}"', http_status=400)
