"""A plan for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from gitaly_py.config.limits import Limit
from gitaly_py.limits.simulation.series import Series
from gitaly_py.limits.simulation.tally import LimiterTally, Tally
from gitaly_py.planning.facts import QUANTILES, peaks, totals, utc, worst_keys
from gitaly_py.planning.plan import Comparison, Plan
from gitaly_py.planning.requests import REASONS
from gitaly_py.planning.sparkline import condensed, sparkline

_INDENT: Final = "  "
_SIDES: Final = ("recorded", "simulated")


def text(plan: Plan, *, keys: int) -> Iterator[str]:
    """The lines of a report. keys: at most so many a limiter."""
    yield from _head(plan)
    for limiter in plan.limiters:
        yield ""
        yield f"{limiter.name}: {_settings(plan.proposal.limits.get(limiter.name, Limit()))}"
        yield from _indented(aligned(_comparison(plan, limiter)))
        yield from _indented(_sparklines(limiter))
        yield from _indented(_keys(limiter, keys))
    yield ""
    yield "all limiters"
    yield from _indented(aligned(_totals(plan)))


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The rows of a table; the first column begins at the left, the others end at the right."""
    table = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for first, *rest in table:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()


def _head(plan: Plan) -> Iterator[str]:
    log, proposal = plan.log, plan.proposal
    yield (
        f"{plan.replayed} of {log.calls} calls met a limiter;"
        f" arrivals from {utc(plan, 0.0)} to {utc(plan, log.last - log.first)}"
    )
    if proposal.adaptive:
        yield f"adaptive limits stand at their {proposal.choice} value: {', '.join(proposal.adaptive)}"
    if plan.estimated:
        yield (
            f"{plan.estimated} calls got no slot when they were logged; if they get one here they run for the"
            " median time of their RPC and repository, or RPC"
        )
    if plan.unknown:
        yield f"{plan.unknown} calls have no others to tell how long they run; they run for no time here"


def _settings(limit: Limit) -> str:
    if limit.limit <= 0:
        return "no limit"
    queue = str(limit.max_queue_size) if limit.max_queue_size > 0 else "without bound"
    wait = str(limit.max_queue_wait) if limit.max_queue_wait > 0 else "without bound"
    return f"limit {limit.limit}, queue {queue}, wait {wait}"


def _comparison(plan: Plan, limiter: Comparison) -> Iterator[Sequence[str]]:
    yield "", *_SIDES
    sides = (limiter.recorded, limiter.simulated)
    facts = [_facts(plan, side) for side in sides]
    for label in facts[0]:
        yield label, *(side[label] for side in facts)


def _facts(plan: Plan, side: LimiterTally) -> dict[str, str]:
    total, most = side.total, peaks(side)
    return {
        "calls": str(total.calls),
        "most in flight": str(total.peak_running),
        "most in flight, one key": str(most.running),
        "most waiting": str(total.peak_waiting),
        "most waiting, one key": str(most.waiting),
        "delayed": _share(total.delayed, total.calls),
        **{f"wait {name}": seconds(total.waits.quantile(part)) for name, part in QUANTILES.items()},
        "wait max": seconds(total.waits.greatest),
        **{f"refused {reason}": str(total.refused[reason]) for reason in REASONS if reason},
        "first refusal": utc(plan, total.first_refusal) or "-",
        "last refusal": utc(plan, total.last_refusal) or "-",
    }


def _sparklines(limiter: Comparison) -> Iterator[str]:
    """What happened over time, where something did."""
    yield f"over time, a column is {_column_seconds(limiter.recorded.series)}"
    old, new = limiter.recorded.series, limiter.simulated.series
    for label, values in (
        ("in flight", [condensed(each.running, max) for each in (old, new)]),
        ("waiting", [condensed(each.waiting, max) for each in (old, new)]),
        ("refused", [condensed(each.refused, sum) for each in (old, new)]),
    ):
        greatest = max(chain(*values))
        if greatest:
            for side, each in zip(_SIDES, values, strict=True):
                yield f"{label:9} {side:9} {sparkline(each, greatest)} {max(each)}"


def _column_seconds(series: Series) -> str:
    return seconds(series.width * len(series.running) / len(condensed(series.running, max)))


def _keys(limiter: Comparison, count: int) -> Iterator[str]:
    worst = worst_keys(limiter, count)
    if not worst:
        return
    yield "worst keys, recorded > simulated"
    yield from aligned(
        [
            ("key", "calls", "in flight", "waiting", "delayed", "wait p95", "wait max", "refused"),
            *((key, *_key_cells(old, new)) for key, old, new in worst),
        ]
    )


def _key_cells(old: Tally, new: Tally) -> Iterator[str]:
    p95 = QUANTILES["p95"]
    yield str(old.calls)
    yield f"{old.peak_running} > {new.peak_running}"
    yield f"{old.peak_waiting} > {new.peak_waiting}"
    yield f"{old.delayed} > {new.delayed}"
    yield f"{seconds(old.waits.quantile(p95))} > {seconds(new.waits.quantile(p95))}"
    yield f"{seconds(old.waits.greatest)} > {seconds(new.waits.greatest)}"
    yield f"{old.refusals} > {new.refusals}"


def _totals(plan: Plan) -> Iterator[Sequence[str]]:
    limiters = plan.limiters
    sides = [totals(each.recorded for each in limiters), totals(each.simulated for each in limiters)]
    yield "", *_SIDES
    yield "delayed", *(str(side.delayed) for side in sides)
    yield "waited", *(seconds(side.waits) for side in sides)
    for reason in REASONS:
        if reason:
            yield f"refused {reason}", *(str(side.refused.get(reason, 0)) for side in sides)


def seconds(value: float) -> str:
    """A length of time to three digits or so."""
    if value == 0:
        return "0"
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 1000 else f"{value:.0f} s"


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if part else "0"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)
