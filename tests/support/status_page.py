"""A status page without a daemon: made-up snapshots, and the listener that shows them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import accumulate

from aiohttp import web
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from gitaly_py.daemon.status.routes import add_routes
from gitaly_py.daemon.status.snapshot import (
    SlowCall,
    Snapshot,
    Source,
    StorageState,
    WorkerState,
)
from gitaly_py.limits.state import KeyState, LimiterState

RPC = ("grpc_type", "grpc_service", "grpc_method")
BOUNDS = ("0.001", "0.005", "0.025", "0.1", "0.5", "1.0", "10.0", "+Inf")

# Calls a second, and how many of a thousand calls end within each bound.
_CALLS = {
    ("unary", "gitaly.CommitService", "FindCommit"): (212.0, (610, 300, 70, 15, 3, 1, 1, 0)),
    ("unary", "gitaly.RefService", "FindDefaultBranchName"): (96.0, (820, 150, 20, 8, 1, 1, 0, 0)),
    ("server_stream", "gitaly.CommitService", "GetTreeEntries"): (61.0, (90, 610, 250, 40, 8, 1, 1, 0)),
    ("unary", "gitaly.SmartHTTPService", "PostUploadPackWithSidechannel"): (
        18.0,
        (0, 210, 420, 190, 110, 40, 28, 2),
    ),
    ("server_stream", "gitaly.BlobService", "GetBlobs"): (14.0, (20, 480, 380, 90, 22, 5, 3, 0)),
    ("server_stream", "gitaly.DiffService", "CommitDiff"): (9.0, (0, 30, 290, 480, 150, 35, 15, 0)),
    ("bidi_stream", "gitaly.SmartHTTPService", "PostReceivePack"): (2.5, (0, 0, 120, 520, 260, 70, 30, 0)),
    ("unary", "gitaly.OperationService", "UserMergeBranch"): (0.4, (0, 0, 90, 560, 270, 60, 20, 0)),
}

_RUNNING = {"PostUploadPackWithSidechannel": 11, "PostReceivePack": 4, "CommitDiff": 3, "FindCommit": 2}


def families(seconds: float) -> list[Metric]:
    """The metrics of a busy daemon `seconds` after its start."""
    return [*_of_rpcs(seconds), *_of_packs(seconds), *_of_processes()]


def _of_rpcs(seconds: float) -> Iterator[Metric]:
    started = CounterMetricFamily("grpc_server_started", "", labels=RPC)
    handled = CounterMetricFamily("grpc_server_handled", "", labels=(*RPC, "grpc_code"))
    times = HistogramMetricFamily("grpc_server_handling_seconds", "", labels=RPC)
    for labels, (rate, spread) in _CALLS.items():
        # Busier and calmer by turns.
        worth = seconds + 6 * math.sin(seconds / 11) + 0.6 * math.sin(seconds / 2.3)
        counts = [int(worth * rate * part / 1000) for part in spread]
        total = sum(counts)
        failed = total // 900
        started.add_metric(labels, total + _RUNNING.get(labels[-1], 0))
        handled.add_metric((*labels, "OK"), total - failed)
        handled.add_metric((*labels, "Unavailable"), failed // 3)
        handled.add_metric((*labels, "NotFound"), failed - failed // 3)
        times.add_metric(labels, list(zip(BOUNDS, accumulate(counts), strict=True)), _seconds(counts))
    yield from (started, handled, times)


def _seconds(counts: list[int]) -> float:
    """That calls take which lie in the midst of their buckets."""
    bounds = [0.0, *map(float, BOUNDS[:-1])]
    middles = [(lower + upper) / 2 for lower, upper in itertools.pairwise(bounds)]
    return sum(count * middle for count, middle in zip(counts, [*middles, bounds[-1]], strict=True))


def _of_packs(seconds: float) -> Iterator[Metric]:
    rates = {
        ("gitaly_pack_objects_cache_lookups", "result"): {"hit": 14.2, "miss": 3.8},
        ("gitaly_pack_plan_lookups", "result"): {"hit": 12.9, "miss": 5.1},
        ("gitaly_inforef_cache_hit_miss", "type"): {"hit": 21.0, "miss": 0.7, "err": 0.01},
        ("gitaly_catfile_cache", "type"): {"hit": 48.0, "miss": 2.4},
        ("gitaly_fetches", "answered_by"): {"plan": 12.9, "takeover": 4.6, "pass_through": 0.5},
        ("gitaly_ls_refs", "answered_by"): {"memory": 16.3, "process": 1.2, "git": 0.4},
    }
    for (name, label), values in rates.items():
        family = CounterMetricFamily(name, "", labels=(label,))
        for value, rate in values.items():
            family.add_metric((value,), int(rate * seconds))
        yield family
    yield CounterMetricFamily("gitaly_pack_objects_served_bytes", "", value=int(seconds * 31e6))
    yield CounterMetricFamily("gitaly_pack_objects_generated_bytes", "", value=int(seconds * 4.1e6))


def _of_processes() -> Iterator[Metric]:
    usage = GaugeMetricFamily("gitaly_streamcache_filestore_disk_usage_bytes", "", labels=("dir",))
    usage.add_metric(("/var/opt/gitlab/cache",), 18 * 2**30)
    yield usage
    yield GaugeMetricFamily("gitaly_commands_running", "", value=9)
    yield GaugeMetricFamily("gitaly_catfile_processes", "", value=6)
    yield GaugeMetricFamily("gitaly_pack_objects_queued", "", value=5)


def snapshot(taken: float, *, started: float, slow_calls: Sequence[SlowCall] | None = None) -> Snapshot:
    """A busy daemon of three workers. taken, started: Unix seconds."""
    return Snapshot(
        taken=taken,
        version="18.9.0",
        git_version="2.47.1",
        families=families(taken - started),
        workers=[
            WorkerState(1, 4102, "serving", started, 0, 42, 11, 196 * 2**20),
            WorkerState(2, 4103, "serving", started + 1, 0, 38, 8, 188 * 2**20),
            WorkerState(3, 7711, "draining", taken - 754, 1, 3, 1, 143 * 2**20),
        ],
        limiters=_limiters(),
        storages=[
            StorageState("default", "/var/opt/gitlab/git-data", 812 * 2**30, 1188 * 2**30, True, True),
            StorageState("archive", "/mnt/archive/git-data", 3722 * 2**30, 278 * 2**30, True, True),
            StorageState("nfs", "/mnt/nfs/git-data", None, None, False, False),
        ],
        slow_calls=_slow_calls(taken) if slow_calls is None else slow_calls,
    )


def _limiters() -> list[LimiterState]:
    push = "perRPC/gitaly.SmartHTTPService/PostReceivePack"
    return [
        LimiterState(
            "packObjects",
            3,
            20,
            [KeyState("203.0.113.7", 3, 4, 2.31), KeyState("198.51.100.24", 3, 1, 0.42)],
            18_204,
            {"max_size": 31, "max_time": 4},
        ),
        LimiterState(push, 10, 0, [KeyState(_hashed("6b86b273ff34fce1"), 2, 0, 0.0)], 9_410, {}),
    ]


def _slow_calls(taken: float) -> list[SlowCall]:
    fetch = "/gitaly.SmartHTTPService/PostUploadPackWithSidechannel"
    push = "/gitaly.SmartHTTPService/PostReceivePack"
    return [
        SlowCall(fetch, f"default:{_hashed('4e07408562bedb8b')}", 92.4, "OK", _ulid("A"), taken - 61, 1),
        SlowCall(push, f"default:{_hashed('d4735e3a265e16ee')}", 14.83, "OK", _ulid("B"), taken - 207, 2),
        SlowCall(
            "/gitaly.DiffService/CommitDiff",
            f"archive:{_hashed('ef2d127de37b942b')}",
            7.06,
            "DeadlineExceeded",
            _ulid("C"),
            taken - 12,
            1,
        ),
        SlowCall(
            "/gitaly.OperationService/UserMergeBranch",
            f"default:{_hashed('4b227777d4dd1fc6')}",
            3.4,
            "OK",
            _ulid("D"),
            taken - 388,
            3,
        ),
    ]


def _hashed(digest: str) -> str:
    return f"@hashed/{digest[:2]}/{digest[2:4]}/{(digest * 4)[:64]}.git"


def _ulid(letter: str) -> str:
    return f"01JD5QZ8K3M7W{letter}2V9XN4RTCEHFP"


def busy(age: float = 93_784.0, step: float = 2.0) -> Source:
    """Snapshots of a busy daemon, the first `age` seconds after its start and each `step` seconds later."""
    started = time.time() - age
    ages = itertools.count(age, step)

    async def take() -> Snapshot:
        return snapshot(started + next(ages), started=started)

    return take


def always(shown: Snapshot) -> Source:
    """The same, taken again and again."""

    async def take() -> Snapshot:
        return replace(shown, taken=time.time())

    return take


@asynccontextmanager
async def showing(source: Source) -> AsyncIterator[str]:
    """Serves the status page, with a snapshot of its own for each request; the origin."""
    app = web.Application()
    add_routes(app, source, reused=0)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
