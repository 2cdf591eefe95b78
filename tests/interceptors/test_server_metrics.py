"""Which calls are kept for those who ask what is slow."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gitaly_py.interceptors import server_metrics
from gitaly_py.interceptors.server_metrics import ServerMetrics
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method, all_methods
from gitaly_py.telemetry.slow_calls import SlowCalls
from tests.support.exchange import HandMadeExchange

NOON = 1_700_000_000.0
(FIND,) = [method for method in all_methods() if method.name == "FindCommit"]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> SlowCalls:
    """The slow calls of a process that has served none."""
    calls = SlowCalls(kept=1, window=600)
    monkeypatch.setattr(server_metrics, "SLOW_CALLS", calls)
    return calls


def end(seconds: float, at: float, *, method: Method = FIND) -> None:
    """Ends a call that took `seconds`, at a Unix time."""
    call: Call[Any, Any] = Call(method, None, HandMadeExchange(), {})
    call.target = Repository(storage_name="default", relative_path="a.git")
    call.correlation_id = "id"
    metrics = ServerMetrics()
    metrics.begin(call)
    call.started = at - seconds
    call._ended = time.monotonic()
    call._began = call._ended - seconds
    metrics.end(call)


def test_the_slowest_call_is_kept_with_what_it_was_about(kept: SlowCalls) -> None:
    end(0.25, NOON)
    end(4.0, NOON + 1)
    end(0.5, NOON + 2)

    (call,) = kept.slowest(NOON + 3)
    assert (call.method, call.repository) == ("/gitaly.CommitService/FindCommit", "default:a.git")
    assert (call.code, call.correlation_id) == ("OK", "id")
    assert call.seconds == pytest.approx(4.0)
    assert call.ended == pytest.approx(NOON + 1)


def test_a_quick_call_is_kept_when_the_slow_ones_are_of_another_minute(kept: SlowCalls) -> None:
    end(4.0, NOON)

    end(0.25, NOON + 61)

    (call,) = kept.slowest(NOON + 601)
    assert call.seconds == pytest.approx(0.25)


def test_calls_that_last_as_long_as_their_clients_like_are_not_slow(kept: SlowCalls) -> None:
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    watch = Method("grpc.health.v1.Health", "Watch", HealthCheckRequest, HealthCheckResponse, False, True)

    end(3600.0, NOON, method=watch)

    assert kept.slowest(NOON) == []
