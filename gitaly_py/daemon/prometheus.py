"""The Prometheus listener (daemon.md 2.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from aiohttp import web
from prometheus_client import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector


class PrometheusEndpoint:
    """Serves `/metrics` over plain HTTP on `address` (`host:port`, the host may be empty).

    source: gives the metrics at the moment.
    """

    def __init__(self, address: str, source: Callable[[], Awaitable[Sequence[Metric]]]) -> None:
        self._source = source
        host, _, port = address.rpartition(":")
        self._host = host.strip("[]") or None
        self._port = int(port)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Binds and begins to serve. Raises OSError when the address is not to be had."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
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
        body = generate_latest(_Found(await self._source()))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Found(Collector):
    """Metrics as the library wants to have them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
