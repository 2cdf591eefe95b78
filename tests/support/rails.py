"""A Rails app of a few lines: answers the internal API as told and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECRET = b"secret-that-Rails-and-the-daemon-share"
PREFIX = "/api/v4/internal"


@dataclass(frozen=True)
class Recorded:
    """A request. path: below the prefix; body: decoded JSON, None for an empty one."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any
    peer_certificate: Any


@dataclass(frozen=True)
class Answer:
    """What to answer. body: a document, sent as JSON, or text or bytes, sent as they are.

    until: waited for first. missing: bytes that are promised and never come.
    """

    body: Any = None
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    until: asyncio.Event | None = None
    missing: int = 0


ALLOWS = {
    "/allowed": Answer({"status": True}),
    "/pre_receive": Answer({"reference_counter_increased": True}),
    "/post_receive": Answer({"reference_counter_decreased": True, "messages": []}),
    "/check": Answer(
        {"api_version": "v4", "gitlab_version": "18.9.0", "gitlab_rev": "0a1b2c3d", "redis": True}
    ),
}


NO_PAGE = Answer(status=404, body="no such page")


class Rails:
    """The running double. url: its address; answers: by path or path and query, to be changed at will."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.answers = dict(ALLOWS)
        self.requests: list[Recorded] = []
        self._prefix = prefix

    def asked(self, path: str) -> list[Recorded]:
        """The requests to one path, in order."""
        return [request for request in self.requests if request.path == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.path.removeprefix(self._prefix)
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        self.requests.append(
            Recorded(
                request.method,
                path,
                list(request.query.items()),
                request.headers.copy(),
                json.loads(body) if body else None,
                certificate,
            )
        )
        answer = self.answers.get(f"{path}?{request.query_string}") or self.answers.get(path, NO_PAGE)
        if answer.until is not None:
            await answer.until.wait()
        content = _content(answer.body)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_type = answer.content_type
        if not isinstance(answer.body, bytes):
            response.charset = "utf-8"
        response.content_length = len(content) + answer.missing
        await response.prepare(request)
        await response.write(content)
        return response


def _content(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


@asynccontextmanager
async def running_rails(
    *, unix_path: str = "", root: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Rails]:
    """A double on a free port of localhost, or on a unix socket; below `/root` if given."""
    rails = Rails("", f"/{root}{PREFIX}" if root else PREFIX)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", rails.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        if unix_path:
            await web.UnixSite(runner, unix_path).start()
            rails.url = "http+unix://" + unix_path.replace("/", "%2F")
        else:
            site = web.TCPSite(runner, "localhost", 0, ssl_context=tls)
            await site.start()
            port = runner.addresses[0][1]
            rails.url = f"{'https' if tls else 'http'}://localhost:{port}"
        yield rails
    finally:
        await runner.cleanup()
