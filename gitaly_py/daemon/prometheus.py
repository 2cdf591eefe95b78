"""The Prometheus listener (daemon.md 2.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from aiohttp import web
from prometheus_client import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from gitaly_py.daemon.status.routes import add_routes
from gitaly_py.daemon.status.snapshot import Source


class PrometheusEndpoint:
    """Serves `/metrics` and the status page over plain HTTP.

    address: `host:port`, the host may be empty. metrics: gives them at the moment. source: of what the
    status page shows.
    """

    def __init__(
        self, address: str, metrics: Callable[[], Awaitable[Sequence[Metric]]], source: Source
    ) -> None:
        self.address = address
        self._families = metrics
        host, _, port = address.rpartition(":")
        self._host = host.strip("[]") or None
        self._port = int(port)
        self._source = source
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Binds and begins to serve. Raises OSError when the address is not to be had."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
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

    async def _metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(_Found(await self._families()))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Found(Collector):
    """Metrics as the library wants to have them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
