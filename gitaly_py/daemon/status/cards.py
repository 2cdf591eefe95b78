"""The large figures at the top of the page."""

from __future__ import annotations

from dataclasses import dataclass

from gitaly_py.daemon.status.cells import tone
from gitaly_py.daemon.status.figures import Figures, percentile
from gitaly_py.daemon.status.formatting import count, percent, rate, seconds, size
from gitaly_py.daemon.status.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Card:
    """One large figure, with a smaller line below it."""

    name: str
    title: str
    value: str
    note: str
    tone: str = ""


def uptime(snapshot: Snapshot) -> float:
    """Seconds since the oldest worker started, 0 without one."""
    return max((snapshot.taken - worker.started for worker in snapshot.workers), default=0.0)


def cards(snapshot: Snapshot, found: Figures) -> list[Card]:
    """The large figures at the top of the page."""
    total, age = found.overall, uptime(snapshot)
    average = total.handled / age if age > 0 else 0
    connections = sum(worker.connections for worker in snapshot.workers)
    errors = total.errors / total.handled if total.handled else None
    p50, p95, p99 = (seconds(percentile(total.buckets, share)) for share in (0.5, 0.95, 0.99))
    rejected = sum(sum(limiter.rejected.values()) for limiter in snapshot.limiters)
    hits = found.pack_cache.share
    return [
        Card(
            "rate",
            "Calls a second",
            rate(average),
            _many(total.handled, "call"),
        ),
        Card("running", "Running calls", count(total.in_flight), _many(connections, "connection")),
        Card("latency", "95 % of calls within", p95, f"50 % {p50}, 99 % {p99}"),
        Card(
            "errors",
            "Errors",
            percent(errors),
            f"{count(total.errors)} of {_many(total.handled, 'call')}",
            tone(bad=total.errors > 0),
        ),
        Card(
            "waiting",
            "Waiting for a limiter",
            count(found.waiting),
            f"{count(rejected)} rejected",
            tone(bad=found.waiting > 0),
        ),
        Card(
            "pack_cache",
            "Pack cache hits",
            percent(hits),
            f"{size(found.cache_bytes)} kept",
        ),
        Card("packs", "Packs sent", size(found.served_bytes), f"{size(found.generated_bytes)} generated"),
        Card(
            "processes",
            "Git processes",
            count(found.git_processes),
            f"{count(found.readers_running)} object readers",
        ),
    ]


def _many(number: int, thing: str) -> str:
    return f"{count(number)} {thing}{'' if number == 1 else 's'}"
