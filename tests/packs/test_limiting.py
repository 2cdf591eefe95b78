"""Limits of pack generation: by address, with and without a user's name (daemon.md 5.2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.config import parse
from gitaly_py.config.duration import Duration
from gitaly_py.config.limits import PackObjectsLimiting, Unauthenticated
from gitaly_py.limits.errors import QueueFull, QueueTimeout
from gitaly_py.limits.making import Limiters
from gitaly_py.packs.limiting import PackLimits, limiting_key
from gitaly_py.telemetry import fields
from gitaly_py.telemetry.metrics import REGISTRY
from tests.support.clock import FakeClock

ADDRESS = "10.1.2.3"


def metric(name: str, auth: str = "authenticated", **labels: str) -> float:
    return REGISTRY.get_sample_value(f"gitaly_pack_objects_{name}", {"auth": auth, **labels}) or 0


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def enter(limits: PackLimits, remote_ip: str = ADDRESS, *, authenticated: bool = True) -> Any:
    """Passes the limit and stays; what ends that."""
    admission = limits.admission(remote_ip, authenticated=authenticated)
    await admission.__aenter__()
    return admission


async def leave(*admissions: Any) -> None:
    for admission in admissions:
        await admission.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("remote_ip", "key"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3:4567", "10.1.2.3"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]:4567", "2001:db8::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", None),
        ("127.8.9.1:80", None),
        ("::1", None),
        ("[::1]:80", None),
        ("::ffff:127.0.0.1", None),
        ("fe80::1%eth0", None),
        ("", None),
        (":80", None),
        ("[]:80", None),
        ("example.com", None),
        ("example.com:80", None),
        ("10.1.2.3.4", None),
        ("10.01.2.3", None),
        ("[2001:db8::1]", None),
        ("10.1.2.3:80:90", None),
    ],
)
def test_the_key_is_the_normal_form_of_an_address(remote_ip: str, key: str | None) -> None:
    assert limiting_key(remote_ip) == key


@given(st.ip_addresses(), st.integers(0, 65535))
def test_a_port_makes_no_difference(address: Any, port: int) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    assert limiting_key(f"{host}:{port}") == limiting_key(str(address))


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    limiting_key(text)


async def test_one_address_has_as_many_slots_as_the_limit_and_another_has_its_own() -> None:
    limits = PackLimits(PackObjectsLimiting(max_concurrency=1, max_queue_size=10), Limiters())
    first = await enter(limits)
    second = asyncio.create_task(enter(limits, f"{ADDRESS}:80"))
    other = await enter(limits, "10.9.9.9")
    await settle()

    assert not second.done()
    await leave(first)
    await leave(await second, other)


@pytest.mark.parametrize("remote_ip", ["127.0.0.1", "", "nobody"])
async def test_who_cannot_be_told_apart_is_not_limited(remote_ip: str) -> None:
    limits = PackLimits(PackObjectsLimiting(max_concurrency=1, max_queue_size=1), Limiters())

    await leave(*[await enter(limits, remote_ip) for _ in range(5)])


async def test_zero_switches_the_limit_off() -> None:
    limits = PackLimits(parse(b"pack_objects_limiting.max_concurrency = 0").pack_objects_limiting, Limiters())

    await leave(*[await enter(limits) for _ in range(300)])


async def test_by_default_two_hundred_run_and_two_hundred_wait() -> None:
    limits = PackLimits(parse(b"").pack_objects_limiting, Limiters())
    held = [await enter(limits) for _ in range(200)]
    waiting = [asyncio.create_task(enter(limits)) for _ in range(200)]
    await settle()

    with pytest.raises(QueueFull):
        await enter(limits)

    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await leave(*held)


async def test_of_an_adaptive_limit_the_initial_one_counts() -> None:
    settings = PackObjectsLimiting(
        max_concurrency=1, max_queue_size=1, adaptive=True, min_limit=1, initial_limit=3, max_limit=9
    )
    limits = PackLimits(settings, Limiters())
    held = [await enter(limits) for _ in range(3)]
    waiting = asyncio.create_task(enter(limits))
    await settle()

    assert not waiting.done()
    await leave(held.pop())
    await leave(*held, await waiting)


async def test_callers_without_a_name_have_a_limit_of_their_own_if_there_is_one() -> None:
    limits = PackLimits(
        PackObjectsLimiting(
            max_concurrency=1, max_queue_size=1, unauthenticated=Unauthenticated(max_concurrency=2)
        ),
        Limiters(),
    )
    named = await enter(limits)
    nameless = [await enter(limits, authenticated=False) for _ in range(2)]
    waiting = [asyncio.create_task(enter(limits, authenticated=False)) for _ in range(20)]
    await settle()

    assert metric("in_progress") == 1
    assert metric("in_progress", "unauthenticated") == 2
    assert metric("queued", "unauthenticated") == 20
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await leave(named, *nameless)
    assert metric("in_progress", "unauthenticated") == metric("queued", "unauthenticated") == 0


@pytest.mark.parametrize("unauthenticated", [None, Unauthenticated()], ids=["absent", "without a limit"])
async def test_callers_without_a_name_share_the_limit_otherwise(
    unauthenticated: Unauthenticated | None,
) -> None:
    limits = PackLimits(
        PackObjectsLimiting(max_concurrency=1, max_queue_size=1, unauthenticated=unauthenticated),
        Limiters(),
    )
    named = await enter(limits)
    nameless = asyncio.create_task(enter(limits, authenticated=False))
    await settle()

    assert not nameless.done()
    await leave(named)
    await leave(await nameless)


async def test_an_admission_is_counted_and_logged() -> None:
    clock = FakeClock()
    limits = PackLimits(PackObjectsLimiting(max_concurrency=1, max_queue_size=5), Limiters(clock=clock))
    observed = metric("acquiring_seconds_count")
    first = await enter(limits)

    async def second() -> dict[str, Any]:
        record = fields.opened()
        async with limits.admission("10.1.2.3:99", authenticated=True):
            return dict(record)

    task = asyncio.create_task(second())
    await settle()
    assert metric("queued") == 1
    clock.advance(1.5)
    await leave(first)

    assert await task == {
        "limit.limiting_type": "pack-objects",
        "limit.limiting_key": "10.1.2.3",
        "limit.concurrency_queue_length": 1,
        "limit.concurrency_queue_ms": 1500,
        "limit.concurrency_in_progress": 1,
    }
    assert metric("acquiring_seconds_count") == observed + 2
    assert metric("queued") == metric("in_progress") == 0


async def test_a_refusal_is_counted_and_logged() -> None:
    clock = FakeClock()
    settings = PackObjectsLimiting(max_concurrency=1, max_queue_size=1, max_queue_wait=Duration.parse("2s"))
    limits = PackLimits(settings, Limiters(clock=clock))
    full, late = metric("dropped_total", reason="max_size"), metric("dropped_total", reason="max_time")
    first = await enter(limits)
    slow = asyncio.create_task(enter(limits))
    await settle()

    async def refused() -> dict[str, Any]:
        record = fields.opened()
        with pytest.raises(QueueFull):
            await enter(limits)
        return record

    assert await asyncio.create_task(refused()) == {
        "limit.limiting_type": "pack-objects",
        "limit.limiting_key": "10.1.2.3",
        "limit.concurrency_queue_length": 1,
        "limit.concurrency_queue_ms": 0,
        "limit.concurrency_in_progress": 1,
        "limit.concurrency_dropped": "max_size",
    }
    clock.advance(2)
    with pytest.raises(QueueTimeout):
        await slow
    assert metric("dropped_total", reason="max_size") == full + 1
    assert metric("dropped_total", reason="max_time") == late + 1
    await leave(first)
    assert metric("in_progress") == 0
