"""Header fields: what is allowed in them, and how gRPC writes binary ones (RFC 9113 8.2)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from gitaly_py.rpc.exchange import Value
from gitaly_py.rpc.http2.errors import ErrorCode, StreamFault
from gitaly_py.rpc.http2.hpack import Field

MALFORMED: Final[Field] = ("", "")
"""Stands for every field that makes a request malformed, so that looking for it is one look."""

PSEUDO: Final = frozenset((":method", ":scheme", ":path", ":authority"))

_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")
# Space around a value is malformed, too, but gRPC's own library sends what a user name has there.
_BAD_VALUE = re.compile(rb"[\x00\r\n]")
_CONNECTION_SPECIFIC = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_DIGITS = re.compile(r"[0-9]{1,18}")


def make_field(name: bytes, value: bytes) -> Field:
    """A field as metadata has it: `-bin` values are decoded, several of them in one field as a tuple."""
    if _NAME.fullmatch(name) is None or _BAD_VALUE.search(value) is not None:
        return MALFORMED
    if name.endswith(b"-bin"):
        return _binary(name, value)
    if name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
        return MALFORMED
    text = name.decode("ascii")
    if text[0] == ":" and text not in PSEUDO:
        return MALFORMED
    return text, value.decode("latin-1")


def _binary(name: bytes, value: bytes) -> Field:
    if name.startswith(b":"):
        return MALFORMED
    try:
        values = tuple(_base64(part) for part in value.split(b","))
    except binascii.Error:
        return MALFORMED
    return name.decode("ascii"), values[0] if len(values) == 1 else values


def _base64(text: bytes) -> bytes:
    """Padding may be left away (gRPC over HTTP/2, Custom-Metadata)."""
    text = text.strip().rstrip(b"=")
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def is_trailers(fields: Sequence[Field]) -> bool:
    """Whether a block may end a request: no pseudo-header, nothing malformed (RFC 9113 8.1)."""
    return all(name and name[0] != ":" for name, _ in fields)


def request_fields(number: int, fields: Sequence[Field]) -> dict[str, Value]:
    """The fields of a request by name; a name that occurs several times has a tuple of its values.

    Raises StreamFault for a malformed request (RFC 9113 8.1.1, 8.3).
    """
    found: dict[str, Value] = dict(fields)
    if len(found) != len(fields):
        found = _with_repeated(number, fields)
    if "" in found:
        raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "malformed_field")
    pseudo = 4 if ":authority" in found else 3
    try:
        complete = found[":method"] and found[":scheme"] and found[":path"]
    except KeyError:
        complete = ""
    # All of them, each once and in front of the others: then there are none behind.
    if not complete or not PSEUDO.issuperset(islice(found, pseudo)):
        raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "malformed_request")
    return found


def _with_repeated(number: int, fields: Sequence[Field]) -> dict[str, Value]:
    values: dict[str, list[str | bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).extend(value if isinstance(value, tuple) else (value,))
    for name in PSEUDO.intersection(values):
        if len(values[name]) > 1:
            raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "malformed_request")
    return {name: tuple(each) if len(each) > 1 else each[0] for name, each in values.items()}


def content_length(number: int, fields: Mapping[str, Value]) -> int | None:
    """The size of a request's body, if it says so. Raises StreamFault when it is no number."""
    value = fields.get("content-length")
    if value is None:
        return None
    if not isinstance(value, str) or _DIGITS.fullmatch(value) is None:
        raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "bad_content_length")
    return int(value)
