"""What one client may ask of a connection; each limit is a key of `[rpc]` in config.toml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gitaly_py.rpc.http2.errors import ConnectionFault, ErrorCode

Clock = Callable[[], float]

SAVED_SECONDS: Final = 5.0

MAX_UNSENT_ANSWERS: Final = 10_000
"""Answers to pings, settings and faults that a client may leave unread."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. Zero means no limit where the text says so.

    max_streams: open at once, 0 for any number. max_header_list: decoded (RFC 9113 6.5.2), and encoded.
    max_continuations: frames of one header block. max_frame: payload of a frame we take.
    stream_window, connection_window: sent by the client and not yet consumed.
    resets: streams a second that the client resets within a second, or makes us reset. settings: SETTINGS
    frames a second. empty_frames: frames a second that bring nothing. ping_interval, ping_strikes: pings
    closer together than the interval count as strikes, and more strikes than allowed end the connection; 0
    strikes: any.
    """

    max_streams: int = 0
    max_header_list: int = 16 << 20
    max_continuations: int = 1024
    max_frame: int = 65536
    stream_window: int = 1 << 20
    connection_window: int = 16 << 20
    resets: int = 200
    settings: int = 100
    empty_frames: int = 1000
    ping_interval: float = 10.0
    ping_strikes: int = 2


class Rate:
    """Counts what may happen `limit` times a second; what is left over may be used up to five seconds later.

    A daemon that reads late finds in one piece what a client did in seconds, which is no flood for that.
    """

    __slots__ = ("_clock", "_last", "_left", "_limit", "_reason")

    def __init__(self, limit: int, reason: str, clock: Clock) -> None:
        self._limit = limit
        self._reason = reason
        self._clock = clock
        self._last = clock()
        self._left = float(limit)

    def count(self) -> None:
        """One more. Raises ConnectionFault when that is too many."""
        now = self._clock()
        saved = self._left + (now - self._last) * self._limit
        self._last = now
        self._left = min(saved, self._limit * SAVED_SECONDS) - 1
        if self._left < 0:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, self._reason)


class PingRule:
    """Pings at least `ping_interval` apart are fine, and so is one after each piece of a response."""

    __slots__ = ("_clock", "_interval", "_last", "_limit", "_strikes", "answered")

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._interval = limits.ping_interval
        self._limit = limits.ping_strikes
        self._clock = clock
        self._last = float("-inf")
        self._strikes = 0
        self.answered = False
        """Something of a response was sent since the last ping: clients measure the way with a ping then."""

    def count(self) -> None:
        """A ping came. Raises ConnectionFault when there were too many too soon."""
        now = self._clock()
        last, self._last = self._last, now
        if self.answered:
            self.answered = False
            self._strikes = 0
        elif now - last < self._interval:
            self._strikes += 1
            if 0 < self._limit < self._strikes:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")
