"""A plan for machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitaly_py.config.limits import Limit
from gitaly_py.limits.simulation.series import Series
from gitaly_py.limits.simulation.tally import LimiterTally, Tally
from gitaly_py.planning.facts import QUANTILES, peaks, totals, utc, worst_keys
from gitaly_py.planning.plan import Comparison, Plan


def document(plan: Plan, *, keys: int) -> dict[str, Any]:
    """Everything of `plan` as JSON has it; times are seconds, moments UTC. keys: at most, a limiter."""
    log = plan.log
    return {
        "log": {
            "lines": log.lines,
            "calls": log.calls,
            "malformed": log.malformed,
            "malformed_examples": log.examples,
            "first_arrival": utc(plan, 0.0),
            "last_arrival": utc(plan, log.last - log.first),
        },
        "replayed": plan.replayed,
        "estimated": plan.estimated,
        "estimated_as_nothing": plan.unknown,
        "adaptive": plan.proposal.choice,
        "adaptive_limiters": list(plan.proposal.adaptive),
        "totals": {
            "recorded": _totals(each.recorded for each in plan.limiters),
            "simulated": _totals(each.simulated for each in plan.limiters),
        },
        "limiters": [_limiter(plan, each, keys) for each in plan.limiters],
    }


def _totals(limiters: Iterable[LimiterTally]) -> dict[str, Any]:
    found = totals(limiters)
    return {"delayed": found.delayed, "wait_sum": round(found.waits, 6), "rejected": found.refused}


def _limiter(plan: Plan, limiter: Comparison, keys: int) -> dict[str, Any]:
    return {
        "name": limiter.name,
        **_settings(plan.proposal.limits.get(limiter.name, Limit())),
        "recorded": _side(plan, limiter.recorded),
        "simulated": _side(plan, limiter.simulated),
        "keys": [
            {"key": key, "recorded": _tally(plan, old), "simulated": _tally(plan, new)}
            for key, old, new in worst_keys(limiter, keys)
        ],
    }


def _settings(limit: Limit) -> dict[str, Any]:
    return {
        "limit": limit.limit,
        "max_queue": limit.max_queue_size if limit.is_set else 0,
        "max_wait": limit.max_queue_wait.seconds,
    }


def _side(plan: Plan, limiter: LimiterTally) -> dict[str, Any]:
    return {
        **_tally(plan, limiter.total),
        "peaks_of_one_key": peaks(limiter)._asdict(),
        "series": _series(limiter.series),
    }


def _tally(plan: Plan, tally: Tally) -> dict[str, Any]:
    return {
        "calls": tally.calls,
        "admitted": tally.waits.count,
        "peak_running": tally.peak_running,
        "peak_waiting": tally.peak_waiting,
        "delayed": tally.delayed,
        "wait": {
            **{name: round(tally.waits.quantile(part), 6) for name, part in QUANTILES.items()},
            "max": round(tally.waits.greatest, 6),
            "sum": round(tally.waits.sum, 6),
        },
        "rejected": dict(tally.refused),
        "first_rejection": utc(plan, tally.first_refusal),
        "last_rejection": utc(plan, tally.last_refusal),
    }


def _series(series: Series) -> dict[str, Any]:
    return {
        "interval_seconds": series.width,
        "running": series.running,
        "waiting": series.waiting,
        "rejected": series.refused,
    }
