"""Names of gRPC codes as logs and metrics write them."""

from __future__ import annotations

from grpc import StatusCode

_NAMES = {
    code: "OK" if code is StatusCode.OK else "".join(word.capitalize() for word in code.name.split("_"))
    for code in StatusCode
} | {StatusCode.CANCELLED: "Canceled"}


def code_name(code: StatusCode) -> str:
    """`StatusCode.RESOURCE_EXHAUSTED` → `ResourceExhausted`."""
    # Enum members hash slowly, and nearly every call is well.
    return "OK" if code is StatusCode.OK else _NAMES[code]
