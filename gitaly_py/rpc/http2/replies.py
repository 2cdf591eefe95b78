"""Header blocks of gRPC responses, encoded once where they repeat (gRPC over HTTP/2, Responses)."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Final
from urllib.parse import quote_from_bytes

from grpc import StatusCode

from gitaly_py.rpc.http2.hpack import encode_field
from gitaly_py.rpc.status import Status

_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def _text(value: str) -> bytes:
    return value.encode("latin-1", "replace")


def _block(*fields: tuple[str, str]) -> bytes:
    return b"".join(encode_field(_text(name), _text(value)) for name, value in fields)


RESPONSE: Final = _block((":status", "200"), ("content-type", "application/grpc"))
"""The block in front of the first message."""

_STATUS = {code: _block(("grpc-status", str(code.value[0]))) for code in StatusCode}


def trailers(status: Status, extra: tuple[tuple[str, str], ...]) -> bytes:
    """The block that ends a response."""
    if status.code is StatusCode.OK:
        return _ok(extra)
    return _ended(status, extra)


def trailers_only(
    status: Status, extra: tuple[tuple[str, str], ...] = (), *, http_status: int = 200
) -> bytes:
    """A response that is nothing but its end, after which clients may try again elsewhere."""
    first = RESPONSE
    if http_status != 200:
        first = _block((":status", str(http_status)), ("content-type", "application/grpc"))
    return first + _ended(status, extra)


@lru_cache(maxsize=1024)
def _ok(extra: tuple[tuple[str, str], ...]) -> bytes:
    return _STATUS[StatusCode.OK] + _block(*extra)


def _ended(status: Status, extra: tuple[tuple[str, str], ...]) -> bytes:
    parts = [_STATUS[status.code]]
    if status.message:
        parts.append(encode_field(b"grpc-message", percent_encoded(status.sent)))
    details = status.encoded()
    if details is not None:
        parts.append(encode_field(b"grpc-status-details-bin", base64.b64encode(details).rstrip(b"=")))
    parts.append(_block(*extra))
    return b"".join(parts)


def percent_encoded(text: str) -> bytes:
    """`grpc-message`: printable ASCII but `%` stays, other octets of UTF-8 become `%XX`.

    So does a space at either end, which no field value may have there (RFC 9113 8.2.1).
    """
    try:
        octets = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no octet
        octets = text.encode("utf-8", "replace")
    encoded = quote_from_bytes(octets, safe=_PLAIN)
    if encoded.startswith(" "):
        encoded = f"%20{encoded[1:]}"
    if encoded.endswith(" "):
        encoded = f"{encoded[:-1]}%20"
    return encoded.encode("ascii")
