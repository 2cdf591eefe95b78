"""Pages of listings and the tokens that lead from one to the next (ref-blob.md 3.4)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ESCAPED = re.compile("[<>&\u2028\u2029\udc80-\udcff]")


@dataclass(frozen=True)
class Page:
    """A part of a listing.

    limit: most entries, None for all. token: full name of the last reference of the page before, empty
    at the beginning. unknown_token: the client's text when the listing does not have that reference.
    """

    limit: int | None = None
    token: bytes = b""
    unknown_token: str = "could not find page token"

    @classmethod
    def of(cls, request: Any, *, prefix: str = "", decode: Callable[[bytes], bytes] = bytes) -> Page:
        """The page that a request's `pagination_params` ask for.

        A message without a limit asks for nothing, a missing message for everything.
        prefix: goes before `unknown_token`. decode: from a token to the name in it.
        """
        if not request.HasField("pagination_params"):
            return cls()
        asked = request.pagination_params
        limit = None if asked.limit < 0 else asked.limit
        return cls(limit, decode(asked.page_token.encode()), prefix + cls.unknown_token)


def encode_cursor(name: bytes) -> str:
    """The cursor after the reference `name`: base64 of compact JSON, escaped as Go does it.

    Bytes that are no UTF-8 are escaped as the lone surrogates that Python decodes them to, which
    `decode_cursor` undoes.
    """
    text = json.dumps(
        {"ref_name": name.decode("utf-8", "surrogateescape")}, separators=(",", ":"), ensure_ascii=False
    )
    escaped = _ESCAPED.sub(lambda char: f"\\u{ord(char[0]):04x}", text)
    return base64.b64encode(escaped.encode()).decode()


def decode_cursor(token: bytes) -> bytes:
    """The reference name in a cursor; a token that is no cursor is taken for a name."""
    try:
        cursor = json.loads(base64.b64decode(token, validate=True))
        name = cursor["ref_name"].encode("utf-8", "surrogateescape")
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return token
    return name or token
