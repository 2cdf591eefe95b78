"""How much memory a process takes while it runs, for the log of its call (daemon.md 4.4)."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Final

from gitaly_py.telemetry import fields

FIELD: Final = "command.maxrssanon_bytes"

_SECONDS: Final = 0.25
_SAMPLES: Final = 40
"""Of a process's life so far, at least: one that lives for minutes need not be looked at all the time."""

_RSS_ANON = re.compile(rb"^RssAnon:\s+(\d+) kB$", re.MULTILINE)


class MemorySampler:
    """Looks at a process four times a second, more rarely once it is old; made in its call's context."""

    __slots__ = ("_loop", "_path", "_since", "_timer")

    def __init__(self, pid: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._path = f"/proc/{pid}/status"
        self._since = loop.time()
        self._timer = loop.call_later(_SECONDS, self._sample)

    def stop(self) -> None:
        """The process has ended."""
        self._timer.cancel()

    def _sample(self) -> None:
        # It may have ended a moment ago.
        with suppress(OSError), open(self._path, "rb") as file:
            found = _RSS_ANON.search(file.read())
            if found:
                fields.peak(FIELD, int(found[1]) * 1024)
        age = self._loop.time() - self._since
        self._timer = self._loop.call_later(max(_SECONDS, age / _SAMPLES), self._sample)
