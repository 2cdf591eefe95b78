"""Pages of GetTreeEntries: tokens, and where a listing begins (commit.md 3.3)."""

from __future__ import annotations

import base64
import json
from contextlib import aclosing
from typing import NamedTuple

from gitaly_py.rpc.status import Internal
from gitaly_py.services.commit.tree_records import Batches, oid_of, path_of

_GO_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


class Start(NamedTuple):
    """The entry that a page begins after.

    text: what an error names it by. path: its whole path, empty for the very beginning; None when only its id
    is known. tree: the tree whose listing is continued, empty when the token does not say.
    """

    text: str
    path: bytes | None
    tree: str = ""


BEGINNING = Start("", b"")


def parse_token(token: str) -> Start:
    """What a page token says. One that is no JSON object is the id of an entry, as tokens once were."""
    if not token:
        return BEGINNING
    try:
        encoded = base64.b64decode(token, validate=True).decode("utf-8", "surrogateescape")
        fields = json.loads(encoded)
    except (ValueError, RecursionError):
        return Start(token, None)
    name, tree = _text(fields, "file_name"), _text(fields, "tree_oid")
    if name is None or tree is None:
        return Start(token, None)
    return Start(name, name.encode("utf-8", "surrogateescape"), tree)


def _text(fields: object, key: str) -> str | None:
    value = fields.get(key, "") if isinstance(fields, dict) else None
    return value if isinstance(value, str) else None


def token_of(path: bytes, tree: str) -> str:
    """The token of the page that begins after `path` in the listing of `tree`.

    Bytes that are no UTF-8 stay as they are, for `parse_token` to find them again.
    """
    fields = {"file_name": path.decode("utf-8", "surrogateescape"), "tree_oid": tree}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).translate(_GO_ESCAPES)
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


async def after(source: Batches, start: Start, prefix: bytes) -> Batches:
    """The records behind `start`; prefix: what the paths of records lack.

    Raises Internal when the entry is not there.
    """
    found = start.path == b""
    async with aclosing(source) as batches:
        async for batch in batches:
            position = None if found else _position(batch, start, prefix)
            if position is not None:
                found = True
                yield batch[position + 1 :]
            elif found:
                yield batch
    if not found:
        raise Internal(f"could not find starting OID: {start.text}")


def _position(batch: list[bytes], start: Start, prefix: bytes) -> int | None:
    if start.path is None:
        wanted, field = start.text.encode(), oid_of
    elif start.path.startswith(prefix):
        wanted, field = start.path.removeprefix(prefix), path_of
    else:
        return None
    # Most records are told apart without being taken apart.
    matches = (number for number, record in enumerate(batch) if wanted in record and field(record) == wanted)
    return next(matches, None)


async def first_of(source: Batches, count: int) -> list[bytes]:
    """The first `count` records, or all if there are fewer."""
    records: list[bytes] = []
    async with aclosing(source) as batches:
        async for batch in batches:
            records += batch
            if len(records) >= count:
                break
    return records[:count]
