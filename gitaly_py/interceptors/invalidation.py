"""Counts the calls that caches have to know of (daemon.md 4.1, 7.4).

What is cached looks at the repository itself before it is used again, so that nothing is left to invalidate.
"""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Any

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method
from gitaly_py.rpc.steps import StepFactory
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.call_metrics import CounterSeries

_API = "gitaly."


class Invalidation:
    """Counts a call that passed authentication and limits, by what its method does."""

    __slots__ = ("_series",)

    def __init__(self, series: CounterSeries, _: Call[Any, Any]) -> None:
        self._series = series

    @classmethod
    def of(cls, method: Method) -> tuple[StepFactory, ...]:
        """The step of a method; none for services beside the API."""
        if not method.service.startswith(_API):
            return ()
        return (partial(cls, metrics.cacheinvalidator_operations.labels(method.operation)),)

    async def __aenter__(self) -> None:
        metrics.cacheinvalidator_rpcs.inc()
        self._series.inc()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
