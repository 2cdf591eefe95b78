"""The token that outgoing calls carry (daemon.md 3)."""

from __future__ import annotations

import hmac


def bearer(secret: str, now: int) -> str:
    """The value of `authorization` that proves the knowledge of `secret` at `now`, in Unix seconds."""
    message = str(now)
    return f"Bearer v2.{hmac.digest(secret.encode(), message.encode(), 'sha256').hex()}.{message}"
