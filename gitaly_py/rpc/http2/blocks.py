"""Header blocks, put together from HEADERS and CONTINUATION and decoded (RFC 9113 4.3)."""

from __future__ import annotations

from gitaly_py.rpc.http2 import frames
from gitaly_py.rpc.http2.errors import ConnectionFault, ErrorCode
from gitaly_py.rpc.http2.fields import make_field
from gitaly_py.rpc.http2.hpack import Decoder, Field, HeaderListTooLarge, HpackError, TooManyFields
from gitaly_py.rpc.http2.limits import Limits
from gitaly_py.rpc.http2.settings import ANNOUNCED_TABLE_SIZE


class BlockReader:
    """Decodes every block of a connection, also those nobody wants: the table must follow the client's.

    number, ended: of the HEADERS frame whose block goes on.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._decoder = Decoder(
            make_field=make_field, table_size=ANNOUNCED_TABLE_SIZE, max_list_size=limits.max_header_list
        )
        self._parts: list[bytes] = []
        self._size = 0
        self.number = 0
        self.ended = False

    def decode(self, data: bytes, start: int, stop: int) -> list[Field] | None:
        """The fields of a block that is whole; None when they are more than we said we take.

        Raises ConnectionFault.
        """
        try:
            return self._decoder.decode(data, start, stop)
        except HeaderListTooLarge:
            return None
        except TooManyFields as error:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header_block_too_large") from error
        except HpackError as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "bad_header_block") from error

    def begin(self, number: int, part: bytes, ended: bool) -> None:
        """A block of which more follows; nothing else may come in between."""
        self.number = number
        self.ended = ended
        self._parts = [part]
        self._size = len(part)

    def check(self, kind: int, number: int) -> None:
        """Whether a frame may come while a block goes on. Raises ConnectionFault."""
        if kind != frames.CONTINUATION or number != self.number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "header_block_interrupted")

    def append(self, part: bytes) -> None:
        """The next part. Raises ConnectionFault when there is no end of them."""
        self._parts.append(part)
        self._size += len(part)
        if len(self._parts) > self._limits.max_continuations or self._size > self._limits.max_header_list:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header_block_too_large")

    def complete(self) -> list[Field] | None:
        """See `decode`."""
        block = b"".join(self._parts)
        self._parts = []
        self.number = 0
        return self.decode(block, 0, len(block))
