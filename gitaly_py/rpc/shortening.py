"""Messages of statuses, cut so that every client can take them.

Clients built on gRPC's C core (Ruby, Python) take 8 KiB of metadata, and what is longer becomes an error with
another code. A message is sent up to twice: in `grpc-message`, where an octet may take three, and in the
details.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Final

LONGEST: Final = 2048
"""Octets of a message as it is encoded in `grpc-message`."""

_TRUNCATED: Final = "... (truncated)"
_WORST: Final = 12
"""Octets that one character may take: four of UTF-8, each as `%XX`."""


def shortened(message: str) -> str:
    """The message, or as much of its beginning as is sent, and a mark like the log's."""
    if len(message) * _WORST <= LONGEST:
        return message
    lengths = list(accumulate(map(_encoded_length, message[: LONGEST + 1])))
    if lengths[-1] <= LONGEST:
        return message
    return message[: bisect_right(lengths, LONGEST - len(_TRUNCATED))] + _TRUNCATED


def _encoded_length(character: str) -> int:
    if " " <= character <= "~" and character != "%":
        return 1
    return 3 * len(character.encode("utf-8", "surrogatepass"))
