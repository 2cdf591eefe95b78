"""Statuses that every client can take.

Clients built on gRPC's C core (Ruby, Python) take 8 KiB of metadata, and what is longer becomes an error with
another code. A message is sent up to twice: in `grpc-message`, where an octet may take three, and in the
details, of which those are left out that don't fit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

LONGEST: Final = 2048
"""Octets of a message as it is encoded in `grpc-message`."""

LONGEST_DETAILS: Final = 4096
"""Octets of `google.rpc.Status`, of which base64 makes a third more."""

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


def with_details(code: int, message: str, details: Sequence[Message]) -> bytes:
    """A `google.rpc.Status` with those details that fit. message: shortened."""
    status: Any = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail)
        if status.ByteSize() > LONGEST_DETAILS:
            del status.details[-1]
    return bytes(status.SerializeToString())


def _encoded_length(character: str) -> int:
    if " " <= character <= "~" and character != "%":
        return 1
    return 3 * len(character.encode("utf-8", "surrogatepass"))
