"""Counts the calls that caches have to know of (daemon.md 4.1, 7.4).

What is cached looks at the repository itself before it is used again, so that nothing is left to invalidate.
"""

from __future__ import annotations

from typing import Any

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method
from gitaly_py.rpc.steps import Step
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.call_metrics import CounterSeries

_API = "gitaly."


class Invalidation(Step):
    """Counts a call that passed authentication and limits, by what its method does."""

    def __init__(self, series: CounterSeries) -> None:
        self._series = series

    @classmethod
    def of(cls, method: Method) -> tuple[Invalidation, ...]:
        """The step of a method; none for services beside the API."""
        if not method.service.startswith(_API):
            return ()
        return (cls(metrics.cacheinvalidator_operations.labels(method.operation)),)

    def enter(self, _: Call[Any, Any]) -> None:
        """See Step."""
        metrics.cacheinvalidator_rpcs.inc()
        self._series.inc()
