"""Header compression for HTTP/2 (RFC 7541)."""

from gitaly_py.rpc.http2.hpack.decoder import Decoder
from gitaly_py.rpc.http2.hpack.encoder import encode_field, encode_literal
from gitaly_py.rpc.http2.hpack.errors import HeaderListTooLarge, HpackError, TooManyFields
from gitaly_py.rpc.http2.hpack.memo import Field

__all__ = [
    "Decoder",
    "Field",
    "HeaderListTooLarge",
    "HpackError",
    "TooManyFields",
    "encode_field",
    "encode_literal",
]
