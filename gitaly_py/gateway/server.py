"""The HTTP server: routes, body limits, start and stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog
import uvloop
from aiohttp import web

from gitaly_py.config.gateway import GatewayConfig
from gitaly_py.gateway.access import Access
from gitaly_py.gateway.exchange import Exchange
from gitaly_py.gateway.fetch import fetch
from gitaly_py.gateway.push import push
from gitaly_py.gateway.references import advertise
from gitaly_py.gateway.upstream import Upstream
from gitaly_py.telemetry import logs

_log = structlog.get_logger("gitaly")

_READ_BUFFER = 1024 * 1024
_STOP_SECONDS = 30

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(config: GatewayConfig) -> int:
    """Runs the gateway until a signal ends it; the exit status."""
    logs.configure()
    try:
        uvloop.run(_run(config))
    except OSError as error:
        _log.error("the gateway cannot serve", error=str(error))
        return 1
    return 0


async def _run(config: GatewayConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    upstream = Upstream(config)
    runner = web.AppRunner(
        application(config, upstream),
        access_log=None,
        # A client that hangs up ends its call, and git with it.
        handler_cancellation=True,
        read_bufsize=_READ_BUFFER,
        # Bounds the wait for the first request of a connection as well as for the next one.
        keepalive_timeout=config.limits.header_timeout.seconds,
        shutdown_timeout=_STOP_SECONDS,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host or None, config.port)
        await site.start()
        for address in runner.addresses:
            _log.info("listening at address", address=f"{address[0]}:{address[1]}", schema="http")
        await stop.wait()
    finally:
        await runner.cleanup()
        await upstream.close()


def application(config: GatewayConfig, upstream: Upstream) -> web.Application:
    """The routes. A repository's path may have any number of segments; `.git` at its end may be left out."""
    access = Access(config)

    def exchanging(
        handler: Callable[[Exchange], Awaitable[web.StreamResponse]], *, write: bool | None
    ) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            exchange = Exchange.begin(request, config, access, upstream, write=write)
            return await exchange.finish(handler)

        return handle

    async def go_on(request: web.Request) -> None:
        """Answers `Expect: 100-continue`, but only to who may do what follows."""
        access.check(request.headers, write=request.path.endswith("/git-receive-pack"))
        if request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    app = web.Application(client_max_size=0)
    app.router.add_get("/{path:.+}/info/refs", exchanging(advertise, write=None))
    app.router.add_post("/{path:.+}/git-upload-pack", exchanging(fetch, write=False), expect_handler=go_on)
    app.router.add_post("/{path:.+}/git-receive-pack", exchanging(push, write=True), expect_handler=go_on)
    return app
