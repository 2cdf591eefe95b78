"""A collector of traces: takes OTLP over HTTP as a real one does, and remembers the spans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Received:
    """A span. trace, id, parent: in hexadecimal digits; kind: such as `SERVER`; seconds: how long it took."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    failed: bool
    seconds: float
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class Collector:
    """The running collector. endpoint: its address, `host:port`; headers: of the requests it got."""

    def __init__(self, path: str) -> None:
        self.endpoint = ""
        self.spans: list[Received] = []
        self.headers: list[Mapping[str, str]] = []
        self.until: asyncio.Event | None = None
        self._path = path

    def named(self, name: str) -> list[Received]:
        """The spans of one name."""
        return [span for span in self.spans if span.name == name]

    async def span(self, name: str, **attributes: Any) -> Received:
        """The newest span of a name with these attributes; waits for it."""
        return await self.span_where(
            lambda span: span.name == name and attributes.items() <= span.attributes.items(), name
        )

    async def span_where(self, is_it: Callable[[Received], bool], what: str) -> Received:
        """The newest span that is the one; waits for it."""
        for _ in range(1500):
            for span in reversed(self.spans):
                if is_it(span):
                    return span
            await asyncio.sleep(0.02)
        raise AssertionError(f"no span {what}, only {[span.name for span in self.spans]}")

    async def handle(self, request: web.Request) -> web.Response:
        assert request.path == self._path
        assert request.content_type == "application/x-protobuf"
        if self.until is not None:
            await self.until.wait()
        self.headers.append(request.headers.copy())
        for resource in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            about = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += [_received(span, about) for span in scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def running_collector(path: str = "/v1/traces") -> AsyncIterator[Collector]:
    """A collector on a free port of this host."""
    collector = Collector(path)
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/{path:.*}", collector.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.endpoint = f"127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


def _received(span: Any, resource: Mapping[str, Any]) -> Received:
    return Received(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        failed=span.status.code == type(span.status).STATUS_CODE_ERROR,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        attributes=_values(span.attributes),
        resource=resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each) for each in attributes}


def _value(attribute: KeyValue) -> Any:
    return getattr(attribute.value, attribute.value.WhichOneof("value") or "string_value")
