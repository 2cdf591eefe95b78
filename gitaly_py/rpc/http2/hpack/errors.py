"""What is wrong with a header block.

Exception
├── HpackError            the block breaks RFC 7541: COMPRESSION_ERROR of the connection (RFC 9113 4.3)
│   └── TooManyFields     it breaks no rule, but decoding it to its end would take too long
└── HeaderListTooLarge    the block is sound, and its list is larger than the limit (RFC 9113 6.5.2)
"""

from __future__ import annotations


class HpackError(Exception):
    """The block can't be decoded, and nothing after it on this connection can."""


class TooManyFields(HpackError):
    """The block has more fields than anybody has use for."""


class HeaderListTooLarge(Exception):
    """The list is larger than the limit; the dynamic table is as its sender believes.

    size: octets of the list, 32 for each field included.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"header list of {size} octets")
        self.size = size
