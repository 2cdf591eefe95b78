"""The status as JSON: the facts, and the texts of the page's cells for its script."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gitaly_py.daemon.status.cards import cards, uptime
from gitaly_py.daemon.status.cells import Cell
from gitaly_py.daemon.status.figures import Figures, Hits, RpcFigures, figures, percentile
from gitaly_py.daemon.status.formatting import duration
from gitaly_py.daemon.status.snapshot import Snapshot
from gitaly_py.daemon.status.tables import tables
from gitaly_py.limits.state import LimiterState


def status_json(snapshot: Snapshot) -> str:
    """All that the page shows. Byte counts in bytes, times in (Unix) seconds; null is what is not known."""
    found = figures(snapshot.families)
    return _encoded(
        {
            "taken": snapshot.taken,
            "version": snapshot.version,
            "git_version": snapshot.git_version,
            "overall": _rpc(found.overall),
            "rpcs": [_rpc(rpc) for rpc in found.rpcs],
            "caches": _caches(found),
            "fetches": found.fetches,
            "ls_refs": found.ls_refs,
            "waiting": found.waiting,
            "git_processes": found.git_processes,
            "workers": [asdict(worker) for worker in snapshot.workers],
            "limiters": [asdict(limiter) for limiter in snapshot.limiters],
            "storages": [asdict(storage) for storage in snapshot.storages],
            "slow_calls": [asdict(call) for call in snapshot.slow_calls],
            "page": {
                "uptime": duration(uptime(snapshot)),
                "cards": [asdict(card) for card in cards(snapshot, found)],
                "tables": {
                    table.name: [[_cell(cell) for cell in row] for row in table.rows]
                    for table in tables(snapshot, found)
                },
            },
        }
    )


def limits_json(limiters: Sequence[LimiterState]) -> str:
    """The limiters alone."""
    return _encoded({"limiters": [asdict(limiter) for limiter in limiters]})


def _encoded(document: dict[str, Any]) -> str:
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def _rpc(rpc: RpcFigures) -> dict[str, Any]:
    """buckets: pairs of an upper bound, null for the infinite one, and how many calls took at most that."""
    return {
        "method": rpc.method,
        "started": rpc.started,
        "handled": rpc.handled,
        "errors": rpc.errors,
        "codes": rpc.codes,
        "seconds": rpc.seconds,
        "p50": percentile(rpc.buckets, 0.5),
        "p95": percentile(rpc.buckets, 0.95),
        "p99": percentile(rpc.buckets, 0.99),
        "buckets": [(None if bound == math.inf else bound, count) for bound, count in rpc.buckets],
    }


def _caches(found: Figures) -> dict[str, Any]:
    caches: dict[str, Hits] = {
        "packs": found.pack_cache,
        "plans": found.plans,
        "advertisements": found.advertisements,
        "readers": found.readers,
    }
    return {
        name: {"hits": cache.hits, **cache.others, "share": cache.share} for name, cache in caches.items()
    }


def _cell(cell: Cell) -> str | dict[str, Any]:
    if not (cell.tone or cell.hint) and cell.share is None:
        return cell.text
    return asdict(cell)
