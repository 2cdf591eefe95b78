"""Traces of calls and of what they start; off unless the environment asks for them (daemon.md 1.6).

While they are off nothing of OpenTelemetry is imported, and who would begin a span finds in one look that
there is nothing to do. They need the extra `tracing`.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import structlog

from gitaly_py.telemetry.tracing_settings import InvalidConnection, settings_of

Attributes = Mapping[str, str | int | float | bool]
"""What is said of an operation. Never arguments, queries or anything else that may hold a secret."""

Carrier = Mapping[str, str]
"""`traceparent` and `tracestate` of W3C Trace Context."""

_log = structlog.get_logger("gitaly")


class Kind(enum.Enum):
    """Which side of an operation a span is."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


class Span(Protocol):
    """An operation in progress."""

    def describe(self, attributes: Attributes) -> None:
        """Adds attributes."""

    def fail(self, kind: str) -> None:
        """Marks the operation as failed. kind: class of the failure."""

    def end(self, seconds: float | None = None) -> None:
        """The operation is over; it took `seconds`, or until now."""

    def enter(self) -> object:
        """Makes what begins in the current context, from now on, a part of this span; `leave` takes it."""

    def leave(self, entered: object) -> None:
        """Undoes `enter`, in the same context."""

    @property
    def carrier(self) -> dict[str, str]:
        """What makes spans of other processes its children."""


class Tracer(Protocol):
    """What tracing is while it is on."""

    def begin(self, name: str, kind: Kind, attributes: Attributes, parent: Carrier | None) -> Span: ...

    def stop(self) -> None: ...


class _Current:
    tracer: Tracer | None = None


def start(environment: Mapping[str, str] = os.environ) -> None:
    """Turns tracing on if `environment` asks for it; each process that serves calls does so for itself.

    What can't be followed is a warning: the daemon serves without traces as well.
    """
    try:
        settings = settings_of(environment)
    except InvalidConnection as error:
        _log.warning("tracing stays off", error=str(error))
        return
    if settings is None:
        return
    try:
        from gitaly_py.telemetry.otel import OtelTracer  # noqa: PLC0415 - costs a tenth of a second
    except ImportError as error:
        _log.warning("tracing stays off, it needs the extra gitaly_py[tracing]", error=str(error))
        return
    for part in settings.unsupported:
        _log.warning("tracing does not support a part of its configuration", unsupported=part)
    _Current.tracer = OtelTracer(settings)


def stop() -> None:
    """Sends the spans that have ended and turns tracing off; takes a few seconds at most."""
    tracer, _Current.tracer = _Current.tracer, None
    if tracer is not None:
        tracer.stop()


def is_on() -> bool:
    """Whether spans go anywhere."""
    return _Current.tracer is not None


def begin(
    name: str, attributes: Attributes, *, kind: Kind = Kind.INTERNAL, parent: Carrier | None = None
) -> Span | None:
    """A span for the caller to end, None while tracing is off.

    parent: whose child it is; the operation around, if there is none in it.
    """
    tracer = _Current.tracer
    return None if tracer is None else tracer.begin(name, kind, attributes, parent)


@contextmanager
def spanning(
    name: str, attributes: Attributes, *, kind: Kind = Kind.INTERNAL, parent: Carrier | None = None
) -> Iterator[Span | None]:
    """A span as long as the block, which fails with it; what begins within is a part of it."""
    span = begin(name, attributes, kind=kind, parent=parent)
    if span is None:
        yield None
        return
    entered = span.enter()
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    finally:
        span.leave(entered)
        span.end()
