"""Where the status page is found on an HTTP listener."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from aiohttp import web

from gitaly_py.daemon.status.document import limits_json, status_json
from gitaly_py.daemon.status.page import POLICY, page
from gitaly_py.daemon.status.snapshot import Snapshot, Source

REUSED_SECONDS: Final = 0.5
"""So that many viewers cost no more than a few."""

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_routes(app: web.Application, source: Source, *, reused: float = REUSED_SECONDS) -> None:
    """Adds `/`, `/status`, `/status.json` and `/limits.json` to `app`.

    source: takes a snapshot. reused: seconds that a snapshot serves all who ask.
    """
    pages = _Pages(source, reused)
    app.router.add_get("/", _to_status)
    app.router.add_get("/status", pages.html)
    app.router.add_get("/status.json", pages.json)
    app.router.add_get("/limits.json", pages.limits)


class _Pages:
    """Answers requests from snapshots that are `reused` seconds old at most."""

    def __init__(self, source: Source, reused: float) -> None:
        self._reused = reused
        self._source = source
        self._lock = asyncio.Lock()
        self._last: Snapshot | None = None
        self._until = 0.0

    async def html(self, _: web.Request) -> web.Response:
        """The page."""
        return _answer(page(await self._snapshot()), "text/html")

    async def json(self, _: web.Request) -> web.Response:
        """What the page's script asks for."""
        return _answer(status_json(await self._snapshot()), "application/json")

    async def limits(self, _: web.Request) -> web.Response:
        """What `gitaly-py limits` asks for."""
        return _answer(limits_json((await self._snapshot()).limiters), "application/json")

    async def _snapshot(self) -> Snapshot:
        async with self._lock:
            if self._last is None or time.monotonic() >= self._until:
                self._last = await self._source()
                self._until = time.monotonic() + self._reused
            return self._last


async def _to_status(_: web.Request) -> web.Response:
    raise web.HTTPFound("/status")


def _answer(text: str, kind: str) -> web.Response:
    return web.Response(text=text, content_type=kind, charset="utf-8", headers=_HEADERS)
