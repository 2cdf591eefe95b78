from __future__ import annotations

import asyncio

from gitaly_py.packs.plans import MAX_PLAN_BYTES, Plan, Plans


def kept(plans: Plans, key: bytes, plan: Plan) -> None:
    with plans.making(key) as making:
        making.keep(plan)


async def test_a_plan_is_found_by_its_key() -> None:
    plans = Plans()
    plan = Plan(b"prefix")
    assert await plans.lookup(b"key") is None

    with plans.making(b"key") as making:
        making.keep(plan)

    assert await plans.lookup(b"key") is plan
    assert await plans.lookup(b"other") is None


async def test_whoever_asks_meanwhile_waits_for_the_plan() -> None:
    plans = Plans()
    plan = Plan(b"prefix")
    with plans.making(b"key") as making:
        waiting = [asyncio.ensure_future(plans.lookup(b"key")) for _ in range(3)]
        await asyncio.sleep(0)
        making.keep(plan)
        assert await asyncio.gather(*waiting) == [plan] * 3


async def test_a_plan_that_is_not_made_is_waited_for_once() -> None:
    plans = Plans()
    with plans.making(b"key"):
        waiting = asyncio.ensure_future(plans.lookup(b"key"))
        await asyncio.sleep(0)
    assert await waiting is None
    assert await plans.lookup(b"key") is None


async def test_two_may_make_the_same_plan() -> None:
    plans = Plans()
    with plans.making(b"key") as one:
        with plans.making(b"key") as other:
            other.keep(Plan(b"other"))
        waiting = asyncio.ensure_future(plans.lookup(b"key"))
        one.keep(Plan(b"one"))
    await waiting
    found = await plans.lookup(b"key")
    assert found is not None
    assert found.prefix in (b"one", b"other")
    assert len(plans) == 1


async def test_those_used_last_stay() -> None:
    plans = Plans(max_bytes=4 * Plan(b"").size)
    for key in (b"a", b"b", b"c"):
        kept(plans, key, Plan(b""))
    await plans.lookup(b"a")
    for key in (b"d", b"e"):
        kept(plans, key, Plan(b""))

    assert await plans.lookup(b"b") is None
    assert await plans.lookup(b"a") is not None
    assert plans.size <= 4 * Plan(b"").size


async def test_a_very_long_plan_is_not_kept() -> None:
    plans = Plans()
    kept(plans, b"key", Plan(bytes(MAX_PLAN_BYTES)))
    assert await plans.lookup(b"key") is None
    assert plans.size == 0
