"""Whether the client of a connection is alive and does its part in time (daemon.md 2.2)."""

from __future__ import annotations

from typing import Final

from gitaly_py.rpc.engines.native.output import Output
from gitaly_py.rpc.engines.native.settings import NativeSettings
from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.errors import ErrorCode

KEEPALIVE_PING: Final = b"alive?\0\0"


class Liveness:
    """Looked at about once a second, so that no call pays for a timer. Times are on the loop's clock."""

    def __init__(self, core: Connection, settings: NativeSettings, now: float) -> None:
        self._core = core
        self._settings = settings
        self._began = self._heard_at = self._moved_at = now
        self._sent = 0
        self._asked_at: float | None = None
        self.heard = True
        """Something has come since the last look."""

    def fault(self, now: float, output: Output, waiting_since: float | None) -> tuple[ErrorCode, str] | None:
        """What the client has failed to do in time, as the code and the reason of a fault.

        waiting_since: since when the longest waiting handler waits to send.
        """
        settings = self._settings
        if not self._core.settled and now - self._began >= settings.preface_timeout:
            return ErrorCode.SETTINGS_TIMEOUT, "settings_not_acknowledged"
        if self.heard:
            self.heard = False
            self._heard_at = now
            self._asked_at = None
        elif self._asked_at is not None and now - self._asked_at >= settings.keepalive_timeout:
            return ErrorCode.ENHANCE_YOUR_CALM, "keepalive_timeout"
        if settings.stall_timeout and self._stalled(now, output, waiting_since):
            return ErrorCode.ENHANCE_YOUR_CALM, "stalled"
        return None

    def must_ask(self, now: float) -> bool:
        """It is time for a ping of ours."""
        if self._asked_at is None and now - self._heard_at >= self._settings.keepalive_time:
            self._asked_at = now
            return True
        return False

    def _stalled(self, now: float, output: Output, waiting_since: float | None) -> bool:
        if output.sent != self._sent or output.idle:
            self._sent = output.sent
            self._moved_at = now
        since = self._moved_at if waiting_since is None else min(self._moved_at, waiting_since)
        return now - since >= self._settings.stall_timeout
