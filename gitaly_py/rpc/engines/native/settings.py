"""What the native engine is told by `[rpc]` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitaly_py.rpc.http2.limits import Limits


@dataclass(frozen=True, slots=True)
class NativeSettings:
    """Sizes in bytes, times in seconds.

    limits: of the HTTP/2 core. max_message: of a request message. max_memory: received and not yet taken by
    handlers, and queued to be sent, on one connection. preface_timeout: for the client to acknowledge our
    settings. keepalive_time, keepalive_timeout: a client that was silent for so long is asked for a sign of
    life, and has so long to give it. stall_timeout: how long something to be sent may wait, 0 for ever.
    """

    limits: Limits = field(default_factory=Limits)
    max_message: int = 4 << 20
    max_memory: int = 256 << 20
    preface_timeout: float = 120.0
    keepalive_time: float = 300.0
    keepalive_timeout: float = 20.0
    stall_timeout: float = 600.0
