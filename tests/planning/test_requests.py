"""What the lines of the access log say about limits (daemon.md 4.4, 5.1, 5.2)."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

import pytest

from gitaly_py.planning.lines import Malformed
from gitaly_py.planning.requests import Request, request
from gitaly_py.telemetry.logs import timestamp
from tests.support.access_log import BEGIN, FETCH, delayed, entry, refused


def read(fields: dict[str, Any]) -> Request:
    found = request(fields)
    assert found is not None
    return found


def test_a_call_without_limits() -> None:
    assert read(entry(1.5, 0.25)) == Request(
        arrival=BEGIN + 1.5,
        wait=0.0,
        service=0.25,
        patience=inf,
        rpc=FETCH,
        repository="a.git",
        client="",
        reason="",
        by_packs=False,
        limited=False,
        named=True,
        succeeded=True,
        running=0,
    )


def test_a_call_runs_for_the_time_that_it_did_not_wait() -> None:
    found = read(delayed(0, 3, 2.75))

    assert (found.wait, found.service, found.limited, found.running) == (2.75, 0.25, True, 1)


@pytest.mark.parametrize(("reason", "wait"), [("max_size", 0.0), ("max_time", 1.5)])
def test_a_refused_call_ran_for_nobody_knows_how_long(reason: str, wait: float) -> None:
    found = read(refused(0, reason, wait))

    assert isnan(found.service)
    assert (found.reason, found.wait, found.patience) == (reason, wait, inf)


def test_a_call_that_was_cancelled_in_the_queue_waits_no_longer_than_it_did() -> None:
    found = read(refused(0, "other", 1.5, code="Canceled"))

    assert (found.reason, found.wait, found.patience) == ("other", 1.5, 1.5)


def test_a_call_that_was_cancelled_while_it_ran_keeps_its_time() -> None:
    found = read(entry(0, 1.5, code="Canceled"))

    assert (found.service, found.reason, found.succeeded) == (1.5, "", False)


def test_a_call_has_patience_until_its_deadline() -> None:
    deadline = {"grpc.request.deadline": timestamp(BEGIN + 10)}

    assert read({**entry(0, 1), **deadline}).patience == pytest.approx(10)
    assert read({**entry(0, 10.5), **deadline}).patience == 10.5
    assert read({**refused(0, "max_time", 1), **deadline}).patience == pytest.approx(10)


@pytest.mark.parametrize(("reason", "wait"), [("max_size", 0.0), ("max_time", 2.0)])
def test_a_wait_that_is_not_logged_follows_from_the_reason(reason: str, wait: float) -> None:
    fields = refused(0, reason, 2.0)
    del fields["limit.concurrency_queue_ms"]

    assert read(fields).wait == wait


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        ({"pack_objects_cache.hit": "false", "remote_ip": "10.1.2.3"}, "10.1.2.3"),
        ({"pack_objects_cache.hit": "false", "remote_ip": "127.0.0.1"}, ""),
        ({"pack_objects_cache.hit": "false"}, ""),
        ({"pack_objects_cache.hit": "true", "remote_ip": "10.1.2.3"}, ""),
        ({"remote_ip": "10.1.2.3"}, ""),
        ({"limit.limiting_type": "pack-objects", "limit.limiting_key": "10.9.9.9"}, "10.9.9.9"),
    ],
)
def test_only_who_made_a_pack_met_the_limit_of_packs(fields: dict[str, str], client: str) -> None:
    assert read({**entry(0, 1), **fields}).client == client


def test_the_wait_of_a_pack_is_not_taken_for_one_of_the_rpc() -> None:
    fields = {**delayed(0, 3, 1), "limit.limiting_type": "pack-objects", "limit.limiting_key": "10.9.9.9"}
    found = read(fields)

    assert (found.by_packs, found.limited, found.repository, found.wait) == (True, False, "a.git", 1)


def test_a_pool_is_a_repository() -> None:
    fields = {**entry(0, 1), "grpc.request.pool.relativePath": "@pools/p.git"}
    del fields["grpc.request.repoPath"]

    assert read(fields).repository == "@pools/p.git"


def test_a_user_has_a_name_if_the_log_or_the_limiter_says_so() -> None:
    nameless = entry(0, 1)
    del nameless["username"]

    assert read(entry(0, 1)).named
    assert not read(nameless).named
    assert read({**nameless, "limit.authenticated": "true"}).named
    assert not read({**entry(0, 1), "limit.authenticated": "false"}).named


@pytest.mark.parametrize(
    "time",
    [
        "2026-02-25T06:13:20.500",
        "2026-02-25T06:13:20.500Z",
        "2026-02-25T06:13:20.50Z",
        "2026-02-25T07:13:20.5+01:00",
    ],
)
def test_moments_are_utc_unless_they_have_a_zone(time: str) -> None:
    assert read({**entry(0, 1), "grpc.start_time": time}).arrival == BEGIN + 0.5


def test_numbers_may_be_texts() -> None:
    fields = {**delayed(0, 0, 0), "grpc.time_ms": "1500.25", "limit.concurrency_queue_ms": "500"}

    assert read(fields).service == pytest.approx(1.00025)


def test_the_name_of_the_method_may_be_in_two_parts() -> None:
    fields = entry(0, 1)
    del fields["grpc.request.fullMethod"]

    assert read(fields).rpc == FETCH


@pytest.mark.parametrize(
    "fields", [{"msg": "spawn", "level": "debug"}, {**entry(0, 1), "span.kind": "client"}]
)
def test_entries_about_other_things_are_none(fields: dict[str, Any]) -> None:
    assert request(fields) is None


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("grpc.start_time", None, "grpc.start_time is no text"),
        ("grpc.start_time", "yesterday", "grpc.start_time is no time"),
        ("grpc.start_time", "2026-02-25T06:13:20.xyz", "grpc.start_time is no time"),
        ("grpc.time_ms", "long", "grpc.time_ms is no number"),
        ("grpc.time_ms", [], "grpc.time_ms is no number"),
        ("grpc.time_ms", -1, "grpc.time_ms is no length of time"),
        ("grpc.time_ms", nan, "grpc.time_ms is no length of time"),
        ("limit.concurrency_in_progress", "few", "limit.concurrency_in_progress is no number"),
        ("grpc.request.repoPath", 7, "grpc.request.repoPath is no text"),
        ("grpc.request.deadline", "soon", "grpc.request.deadline is no time"),
    ],
)
def test_a_line_with_a_value_of_the_wrong_kind_is_malformed(name: str, value: object, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        request({**entry(0, 1), name: value})


@pytest.mark.parametrize("name", ["grpc.start_time", "grpc.time_ms"])
def test_a_line_without_its_times_is_malformed(name: str) -> None:
    fields = entry(0, 1)
    del fields[name]

    with pytest.raises(Malformed, match=name):
        request(fields)
