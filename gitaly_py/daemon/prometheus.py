"""The Prometheus listener (daemon.md 2.4)."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from gitaly_py.daemon.status.routes import add_routes
from gitaly_py.daemon.status.snapshot import Source
from gitaly_py.telemetry.metrics import REGISTRY

for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
    REGISTRY.register(collector)


class PrometheusEndpoint:
    """Serves `/metrics` and the status page over plain HTTP.

    address: `host:port`, the host may be empty. source: of what the status page shows.
    """

    def __init__(self, address: str, source: Source) -> None:
        host, _, port = address.rpartition(":")
        self._host = host.strip("[]") or None
        self._port = int(port)
        self._source = source
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Binds and begins to serve. Raises OSError when the address is not to be had."""
        app = web.Application()
        app.router.add_get("/metrics", _metrics)
        add_routes(app, self._source)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, reuse_port=True).start()

    @property
    def port(self) -> int:
        """The port that was bound; differs from the configured one when that is 0."""
        if self._runner is None:
            raise RuntimeError("not started")
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
