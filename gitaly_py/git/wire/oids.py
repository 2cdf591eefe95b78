"""Object ids as clients must write them: all digits, lower case (ref-blob.md 2.3)."""

from __future__ import annotations

import re

from gitaly_py.git.wire.errors import InvalidObjectId
from gitaly_py.git.wire.goquote import quote, quote_rune
from gitaly_py.git.wire.objects import ObjectFormat

_NOT_HEX = re.compile(rb"[^0-9a-f]")


def parse_oid(value: bytes, object_format: ObjectFormat) -> str:
    """`value` as an object id. Raises InvalidObjectId with the API's text."""
    wanted = object_format.hex_length
    if len(value) != wanted:
        raise InvalidObjectId(
            f"invalid object ID: {quote(value)}, expected length {wanted}, got {len(value)}"
        )
    found = _NOT_HEX.search(value)
    if found is not None:
        rune = value[found.start() :].decode("utf-8", "replace")[0]
        raise InvalidObjectId(f"invalid object ID: {quote(value)}, invalid character {quote_rune(rune)}")
    return value.decode("ascii")


def is_oid(value: bytes, object_format: ObjectFormat) -> bool:
    """Whether `value` is a full, lower-case object id of the format."""
    return len(value) == object_format.hex_length and _NOT_HEX.search(value) is None
