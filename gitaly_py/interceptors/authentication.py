"""Checks the token of a call (daemon.md 3)."""

from __future__ import annotations

import hmac
import re
import time
from dataclasses import dataclass
from typing import Any

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.status import PermissionDenied, RpcError, Unauthenticated
from gitaly_py.telemetry import metrics

WINDOW_SECONDS = 30
"""How far a token's time may lie from now, inclusive, in both directions."""

_INT64 = re.compile(r"[+-]?0*[0-9]{1,19}")
_OPEN_SERVICES = ("grpc.health.v1.Health",)


@dataclass(frozen=True)
class Tokens:
    """The shared secret, empty when none is configured; transitioning: failures are counted but pass."""

    secret: bytes = b""
    transitioning: bool = False


class Authentication:
    """Refuses a call without a valid token. Health checks are open to everyone."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, call: Call[Any, Any]) -> None:
        """See Gate."""
        if call.method.service in _OPEN_SERVICES:
            return
        enforced = not self._tokens.transitioning
        if not self._tokens.secret:
            _count("server disabled authentication", enforced=enforced)
            return
        try:
            verify(call.metadata.first("authorization"), self._tokens.secret, time.time())
        except RpcError as error:
            _count("unauthenticated" if isinstance(error, Unauthenticated) else "denied", enforced=enforced)
            if enforced:
                raise
        else:
            _count("ok" if enforced else "would be ok", enforced=enforced)


def verify(header: str, secret: bytes, now: float) -> None:
    """Checks the `authorization` header against `secret` at the Unix time `now`.

    Raises Unauthenticated when there is no token to check, PermissionDenied when it is wrong.
    """
    scheme, _, token = header.partition(" ")
    parts = token.split(".", 2)
    if scheme.lower() != "bearer" or len(parts) != 3:
        raise Unauthenticated("authentication required")
    version, signature, message = parts
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        raise Unauthenticated("authentication required") from None
    if any(character.isspace() for character in signature):
        raise Unauthenticated("authentication required")
    if version != "v2":
        raise PermissionDenied("permission denied: invalid token version")
    if not hmac.compare_digest(given, hmac.digest(secret, message.encode(), "sha256")):
        raise _denied("wrong hmac signature")
    _check_time(message, now)


def _check_time(message: str, now: float) -> None:
    if not _INT64.fullmatch(message) or not -(2**63) <= int(message) < 2**63:
        raise _denied("cannot parse timestamp", f': strconv.ParseInt: parsing "{message}": invalid syntax')
    issued = int(message)
    if issued < now - WINDOW_SECONDS:
        raise _denied("token has expired")
    if issued > now + WINDOW_SECONDS:
        raise _denied("token's validity window is in future")


def _denied(reason: str, detail: str = "") -> PermissionDenied:
    metrics.authentication_errors.labels("v2", reason).inc()
    return PermissionDenied(f"permission denied: {reason}{detail}")


def _count(status: str, *, enforced: bool) -> None:
    metrics.authentications.labels("true" if enforced else "false", status).inc()
