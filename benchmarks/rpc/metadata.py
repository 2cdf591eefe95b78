"""What a Rails app sends with each call (clients.md 3.2), and how HPACK clients encode it.

gRPC's core (Ruby, Python, C++), hence Rails, indexes the fields that every call has and sends each entry of
the metadata as a literal without indexing, never Huffman-coded but for the values of `-bin` keys. grpc-go
indexes whatever is not in the table yet, and keeps the table at 4096 bytes even where a server allows more.
Other clients take what they are allowed.
"""

from __future__ import annotations

import base64
import enum
import itertools
import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from hpack import Encoder
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

Field = tuple[str, str]

_SINGLE_BYTE = 127

_EVERY_CALL: Final[list[Field]] = [
    ("authorization", "Bearer v2." + "0123456789abcdef" * 4 + ".1790000000"),
    ("client_name", "gitlab-web"),
    ("call_site", "projects_controller_show"),
    ("user_id", "4711"),
    ("username", "someone"),
    ("remote_ip", "203.0.113.42"),
    ("deadline_type", "regular"),
    ("gitaly-client-context-bin", '{"enable_secrets_check":true}'),
    *((f"gitaly-feature-{name}-{number}", "true" if number % 3 else "false")
      for number, name in zip(
          range(38), itertools.cycle(("commit-graph-rewrite", "use-bundle-uri", "limit-pack", "raft"))
      )),
]  # fmt: skip


class Metadata(enum.Enum):
    """What goes with a call, and how it is encoded."""

    NONE = "bare"
    CORE = "48 entries"
    GO = "48 entries from Go"
    LARGE_TABLE = "48 entries, large table"


def for_grpcio(kind: Metadata) -> list[tuple[str, str | bytes]]:
    """What grpcio's `metadata` parameter takes for one call."""
    found = [] if kind is Metadata.NONE else _new_in_each_call() + _EVERY_CALL
    return [(key, value.encode() if key.endswith("-bin") else value) for key, value in found]


def block_maker(
    path: str, kind: Metadata, table_size: int, changes: Mapping[str, str | None] = MappingProxyType({})
) -> Callable[[], bytes]:
    """Makes the header block of each call of a connection, in order.

    path: of the RPC. table_size: what the server allows for the header table. changes: other values of
    metadata, None for what is left out.
    """
    every_call = [(key, value) for key, value in (dict(_EVERY_CALL) | changes).items() if value is not None]
    encoder = Encoder()
    if kind is Metadata.LARGE_TABLE:
        encoder.header_table_size = table_size
    fields = [
        (":path", path),
        (":authority", "localhost"),
        (":method", "POST"),
        (":scheme", "http"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-accept-encoding", "identity, deflate, gzip"),
        ("user-agent", "grpc-ruby/1.76.0 grpc-c/51.0.0 (linux; chttp2)"),
    ]
    if kind is not Metadata.NONE:
        fields.insert(-1, ("grpc-timeout", "30S"))

    literals = b"".join(map(_literal, every_call))
    fields_of_go = [*fields, *map(_text, every_call)]

    def make() -> bytes:
        if kind in {Metadata.GO, Metadata.LARGE_TABLE}:
            return encoder.encode(fields_of_go + _new_in_each_call())
        block = encoder.encode(fields, huffman=False)
        if kind is Metadata.CORE:
            block += literals + b"".join(map(_literal, _new_in_each_call()))
        return block

    return make


def _new_in_each_call() -> list[Field]:
    return [("gitaly-session-id", str(uuid.uuid4())), ("x-gitlab-correlation-id", str(uuid.uuid4()))]


def _text(field: Field) -> Field:
    key, value = field
    return (key, _base64(value)) if key.endswith("-bin") else field


def _base64(value: str) -> str:
    return base64.b64encode(value.encode()).rstrip(b"=").decode()


def _literal(field: Field) -> bytes:
    key, value = field
    name = key.encode()
    if key.endswith("-bin"):
        coded = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(_base64(value).encode())
        marked = 0x80 | len(coded)
    else:
        coded = value.encode()
        marked = len(coded)
    assert len(name) < _SINGLE_BYTE
    assert len(coded) < _SINGLE_BYTE
    return bytes((0, len(name))) + name + bytes((marked,)) + coded
