"""Header compression for HTTP/2 (RFC 7541)."""

from gitaly_py.rpc.http2.hpack.decoder import Decoder, Field
from gitaly_py.rpc.http2.hpack.encoder import encode_field, encode_literal
from gitaly_py.rpc.http2.hpack.errors import HeaderListTooLarge, HpackError

__all__ = ["Decoder", "Field", "HeaderListTooLarge", "HpackError", "encode_field", "encode_literal"]
