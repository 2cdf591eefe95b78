"""Spans by the SDK of OpenTelemetry, sent as OTLP over HTTP by a thread of its own.

Over gRPC they would come with seven threads instead of one. Imported only while tracing is on.
"""

from __future__ import annotations

import logging
import threading
import time
from contextvars import Token
from typing import Any

import structlog
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gitaly_py import __version__
from gitaly_py.telemetry.tracing import Attributes, Carrier, Kind, Span
from gitaly_py.telemetry.tracing_settings import TracingSettings

STOP_SECONDS = 5.0
"""How long the daemon's stop waits for a collector."""

_SERVICE = "service.name"
_UNNAMED = "unknown_service"

_KINDS = {
    Kind.SERVER: trace.SpanKind.SERVER,
    Kind.CLIENT: trace.SpanKind.CLIENT,
    Kind.INTERNAL: trace.SpanKind.INTERNAL,
}
_PROPAGATOR = TraceContextTextMapPropagator()

_log = structlog.get_logger("gitaly")


class OtelTracer:
    """Begins spans and sends those that have ended every few seconds."""

    def __init__(self, settings: TracingSettings) -> None:
        _report_to_log()
        self._provider = TracerProvider(
            sampler=_sampler(settings), resource=_resource(settings.service_name), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(settings.endpoint, headers=dict(settings.headers) or None)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("gitaly_py", __version__)

    def begin(self, name: str, kind: Kind, attributes: Attributes, parent: Carrier | None) -> Span:
        """A span that the caller ends, see `tracing.begin`."""
        around = _PROPAGATOR.extract(parent) if parent else None
        if around is not None and not trace.get_current_span(around).get_span_context().is_valid:
            around = None
        return OtelSpan(
            self._tracer.start_span(
                name,
                context=around,
                kind=_KINDS[kind],
                attributes=dict(attributes),
                record_exception=False,
                set_status_on_exception=False,
            )
        )

    def stop(self) -> None:
        """Sends what is left, for STOP_SECONDS at most."""
        ending = threading.Thread(target=self._provider.shutdown, name="tracing stop", daemon=True)
        ending.start()
        ending.join(STOP_SECONDS)
        if ending.is_alive():
            _log.warning("the collector takes no spans, the last ones are lost")


class OtelSpan:
    """A span of the SDK."""

    __slots__ = ("_began", "_span")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._began = time.time_ns()

    def describe(self, attributes: Attributes) -> None:
        """See Span."""
        self._span.set_attributes(dict(attributes))

    def fail(self, kind: str) -> None:
        """See Span."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self, seconds: float | None = None) -> None:
        """See Span."""
        self._span.end(None if seconds is None else self._began + int(seconds * 1e9))

    def enter(self) -> Token[Context]:
        """See Span."""
        return context.attach(trace.set_span_in_context(self._span))

    def leave(self, entered: Any) -> None:
        """See Span."""
        context.detach(entered)

    @property
    def carrier(self) -> dict[str, str]:
        """See Span."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._span))
        return carrier


def _sampler(settings: TracingSettings) -> Sampler | None:
    return None if settings.ratio is None else ParentBased(TraceIdRatioBased(settings.ratio))


def _resource(service_name: str) -> Resource:
    """Who we are: the standard variables' word for it, unless the connection string has one."""
    resource = Resource.create({"service.version": __version__})
    if service_name or str(resource.attributes[_SERVICE]).startswith(_UNNAMED):
        resource = resource.merge(Resource({_SERVICE: service_name or "gitaly"}))
    return resource


class _ToLog(logging.Handler):
    """What the SDK has to say, for instance of a collector that is down, in the form of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        report = _log.error if record.levelno >= logging.ERROR else _log.warning
        report("tracing: " + record.getMessage())


def _report_to_log() -> None:
    said = logging.getLogger("opentelemetry")
    said.propagate = False
    said.handlers = [_ToLog(logging.WARNING)]
