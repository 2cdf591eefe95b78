"""The tables of the page, cell by cell, for HTML and for the script alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from gitaly_py.daemon.status.cards import uptime
from gitaly_py.daemon.status.cells import Cell, Column, Table, listed, tone
from gitaly_py.daemon.status.figures import Figures, Hits, RpcFigures, percentile
from gitaly_py.daemon.status.formatting import count, duration, percent, rate, seconds, size
from gitaly_py.daemon.status.snapshot import Snapshot, StorageState, WorkerState
from gitaly_py.limits.state import LimiterState

_QUEUES: Final = 20
"""Keys that are shown, of limiters with many."""

_NEARLY_FULL: Final = 0.9


def tables(snapshot: Snapshot, found: Figures) -> list[Table]:
    """The tables of the page, in their order."""
    return [
        _rpcs(found.rpcs, uptime(snapshot)),
        _workers(snapshot.workers, snapshot.taken),
        _limiters(snapshot.limiters),
        _queues(snapshot.limiters),
        _caches(found),
        _answers(found),
        _storages(snapshot.storages),
        _slow_calls(snapshot),
    ]


def _rpcs(rpcs: Sequence[RpcFigures], age: float) -> Table:
    columns = (
        Column("method", "RPC", "code name"),
        Column("calls", "Calls", extra=True),
        Column("rate", "Calls/s"),
        Column("running", "Running"),
        Column("errors", "Errors"),
        Column("mean", "Mean", extra=True),
        Column("p50", "p50"),
        Column("p95", "p95"),
        Column("p99", "p99"),
    )
    rows = [
        (
            _method(rpc.method),
            Cell(count(rpc.handled)),
            Cell(rate(rpc.handled / age if age > 0 else 0)),
            Cell(count(rpc.in_flight), tone(quiet=not rpc.in_flight)),
            Cell(count(rpc.errors), tone(bad=rpc.errors > 0, quiet=not rpc.errors), hint=listed(rpc.codes)),
            Cell(seconds(rpc.mean)),
            *(Cell(seconds(percentile(rpc.buckets, share))) for share in (0.5, 0.95, 0.99)),
        )
        for rpc in rpcs
    ]
    return Table("rpcs", "RPCs", columns, rows, "No call has come in yet.", period=True)


def _workers(workers: Iterable[WorkerState], now: float) -> Table:
    columns = (
        Column("number", "Worker"),
        Column("state", "State", "text"),
        Column("pid", "Process", extra=True),
        Column("age", "Up for"),
        Column("restarts", "Restarts"),
        Column("connections", "Connections"),
        Column("calls", "Calls"),
        Column("memory", "Memory"),
    )
    rows = [
        (
            Cell(str(worker.number)),
            Cell(worker.state, tone(good=worker.state == "serving")),
            Cell(str(worker.pid)),
            Cell(duration(now - worker.started)),
            Cell(count(worker.restarts), tone(bad=worker.restarts > 0, quiet=not worker.restarts)),
            Cell(count(worker.connections)),
            Cell(count(worker.calls)),
            Cell(size(worker.rss_bytes)),
        )
        for worker in workers
    ]
    return Table("workers", "Workers", columns, rows, "No worker runs.")


def _limiters(limiters: Iterable[LimiterState]) -> Table:
    columns = (
        Column("name", "Limiter", "code"),
        Column("limit", "Limit"),
        Column("max_queue", "Queue", extra=True),
        Column("keys", "Keys", extra=True),
        Column("running", "Running"),
        Column("waiting", "Waiting"),
        Column("oldest", "Longest wait"),
        Column("admitted", "Admitted", extra=True),
        Column("rejected", "Rejected"),
    )
    rows = []
    for limiter in limiters:
        waiting = sum(key.waiting for key in limiter.keys)
        oldest = max((key.oldest_wait for key in limiter.keys if key.waiting), default=None)
        rejected = sum(limiter.rejected.values())
        rows.append(
            (
                Cell(limiter.name),
                Cell(_bound(limiter.limit)),
                Cell(_bound(limiter.max_queue)),
                Cell(count(len(limiter.keys))),
                Cell(count(sum(key.running for key in limiter.keys))),
                Cell(count(waiting), tone(bad=waiting > 0, quiet=not waiting)),
                Cell(seconds(oldest)),
                Cell(count(limiter.admitted)),
                Cell(
                    count(rejected),
                    tone(bad=rejected > 0, quiet=not rejected),
                    hint=listed(limiter.rejected),
                ),
            )
        )
    return Table("limiters", "Limiters", columns, rows, "None is reported.")


def _queues(limiters: Iterable[LimiterState]) -> Table:
    columns = (
        Column("key", "Key", "code"),
        Column("limiter", "Limiter", "code"),
        Column("running", "Running"),
        Column("waiting", "Waiting"),
        Column("oldest", "Longest wait"),
    )
    queues = [(limiter, key) for limiter in limiters for key in limiter.keys if key.waiting]
    longest = sorted(queues, key=lambda queue: (-queue[1].waiting, -queue[1].oldest_wait))[:_QUEUES]
    rows = [
        (
            Cell(key.key),
            Cell(limiter.name),
            Cell(count(key.running)),
            Cell(count(key.waiting), "bad"),
            Cell(seconds(key.oldest_wait)),
        )
        for limiter, key in longest
    ]
    return Table("queues", "Longest queues", columns, rows, "Nobody waits.")


def _slow_calls(snapshot: Snapshot) -> Table:
    columns = (
        Column("method", "RPC", "code name"),
        Column("seconds", "Took"),
        Column("ended", "Ended ago", extra=True),
        Column("code", "Code", "text"),
        Column("repository", "Repository", "code"),
        Column("correlation_id", "Correlation id", "code name", extra=True),
        Column("worker", "Worker", extra=True),
    )
    rows = [
        (
            _method(call.method),
            Cell(seconds(call.seconds)),
            Cell(duration(snapshot.taken - call.ended)),
            Cell(call.code, tone(bad=call.code != "OK")),
            Cell(call.repository),
            Cell(call.correlation_id),
            Cell(str(call.worker)),
        )
        for call in snapshot.slow_calls
    ]
    return Table("slow_calls", "Slowest calls of the last 10 minutes", columns, rows, "No call ended lately.")


def _caches(found: Figures) -> Table:
    columns = (
        Column("cache", "Cache", "text"),
        Column("hits", "Hits"),
        Column("others", "Others", "text"),
        Column("share", "Hit rate"),
        Column("bar", "", "bar", extra=True),
    )
    rows = [
        _cache("Packs", found.pack_cache),
        _cache("Plans of packs", found.plans),
        _cache("Advertisements", found.advertisements),
        _cache("Object readers", found.readers),
    ]
    return Table("caches", "Caches since the start", columns, rows, "")


def _cache(title: str, hits: Hits) -> tuple[Cell, ...]:
    share = hits.share
    bar = Cell("") if share is None else Cell(percent(share), share=share)
    return Cell(title), Cell(count(hits.hits)), Cell(listed(hits.others)), Cell(percent(share)), bar


def _answers(found: Figures) -> Table:
    columns = (
        Column("question", "Question", "text"),
        Column("answer", "Answered by", "text"),
        Column("count", "Times"),
        Column("share", "Share"),
        Column("bar", "", "bar", extra=True),
    )
    rows = []
    for title, answers in (("Fetch", found.fetches), ("ls-refs", found.ls_refs)):
        total = sum(answers.values())
        for who, times in answers.items():
            share = times / total
            rows.append(
                (
                    Cell(title),
                    Cell(who.replace("_", " ")),
                    Cell(count(times)),
                    Cell(percent(share)),
                    Cell(percent(share), share=share),
                )
            )
    return Table("answers", "Who answered since the start", columns, rows, "Nobody has fetched yet.")


def _storages(storages: Iterable[StorageState]) -> Table:
    columns = (
        Column("name", "Storage", "text"),
        Column("path", "Path", "code"),
        Column("state", "State", "text"),
        Column("used", "Used"),
        Column("available", "Free"),
        Column("bar", "", "bar", extra=True),
    )
    return Table("storages", "Storages", columns, [_storage(storage) for storage in storages], "")


def _storage(storage: StorageState) -> tuple[Cell, ...]:
    bar, full = Cell(""), False
    if storage.used is not None and storage.available is not None and storage.used + storage.available:
        share = storage.used / (storage.used + storage.available)
        bar, full = Cell(percent(share), share=share), share > _NEARLY_FULL
    state = "writable" if storage.readable and storage.writable else "read-only"
    if not storage.readable:
        state = "unreadable"
    return (
        Cell(storage.name),
        Cell(storage.path),
        Cell(state, "good" if state == "writable" else "bad"),
        Cell(size(storage.used)),
        Cell(size(storage.available), tone(bad=full)),
        bar,
    )


def _method(path: str) -> Cell:
    return Cell(path.removeprefix("/").removeprefix("gitaly."), hint=path)


def _bound(value: int) -> str:
    return count(value) if value > 0 else "none"
