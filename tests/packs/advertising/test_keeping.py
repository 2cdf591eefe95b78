"""What is kept in memory, for how long, and how much of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gitaly_py.git.reading.refstate import ReferenceState
from gitaly_py.packs.advertising.keeping import Entry, Kept, Shared
from tests.support.stamps import settle, unsettle


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "packed-refs"
    made.write_text("")
    settle(made)
    return made


def state(file: Path) -> ReferenceState:
    return ReferenceState(str(file.parent))


async def data(kept: Kept, key: str) -> bytes | memoryview | None:
    entry = await kept.valid(key)
    return None if entry is None else entry.data


async def test_an_answer_is_kept_until_its_state_is_another(file: Path) -> None:
    kept = Kept(10_000)
    kept.keep("a", Entry([state(file)], b"answer"))
    assert await data(kept, "a") == b"answer"
    assert await kept.valid("b") is None

    file.write_text("changed")

    assert await kept.valid("a") is None
    assert (len(kept), kept.size) == (0, 0)


async def test_what_can_never_be_told_to_be_right_is_not_kept(file: Path) -> None:
    unsettle(file)
    kept = Kept(10_000)

    kept.keep("a", Entry([state(file)], b"answer"))

    assert len(kept) == 0


async def test_memory_is_bounded_and_what_was_used_last_stays(file: Path) -> None:
    kept = Kept(10_000)
    for name in "abc":
        kept.keep(name, Entry([state(file)], b"x" * 1000))
    assert await kept.valid("a")

    kept.keep("d", Entry([state(file)], b"x" * 6000))

    assert kept.size <= 10_000
    assert [name for name in "abcd" if await kept.valid(name)] == ["a", "d"]
    kept.keep("e", Entry([state(file)], b"x" * 10_000))
    assert (len(kept), kept.size) == (0, 0)


async def test_an_answer_takes_the_place_of_an_older_one(file: Path) -> None:
    kept = Kept(10_000)
    kept.keep("a", Entry([state(file)], b"one"))
    size = kept.size

    kept.keep("a", Entry([state(file)], b"two"))

    assert await data(kept, "a") == b"two"
    assert kept.size == size


async def test_work_is_shared_in_one_state_and_not_across_two(file: Path) -> None:
    shared: Shared[int] = Shared()
    made: list[int] = []
    go_on = asyncio.Event()

    async def make() -> int:
        made.append(len(made))
        await go_on.wait()
        return made[-1]

    async def asked() -> int | None:
        return await shared.get("a", [state(file)], make)

    before = [asyncio.ensure_future(asked()) for _ in range(3)]
    await asyncio.sleep(0)
    file.write_text("changed")
    settle(file)
    after = [asyncio.ensure_future(asked()) for _ in range(3)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*before, *after)

    assert made == [0, 1]


@pytest.mark.parametrize("failure", ["cancelled", "raised", "nothing"])
async def test_who_waited_for_nothing_makes_it_alone(file: Path, failure: str) -> None:
    shared: Shared[int] = Shared()
    go_on = asyncio.Event()

    async def fail() -> int | None:
        await go_on.wait()
        if failure == "raised":
            raise ValueError
        return None

    async def make() -> int:
        return 7

    first = asyncio.ensure_future(shared.get("a", [state(file)], fail))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(shared.get("a", [state(file)], make))
    await asyncio.sleep(0)
    if failure == "cancelled":
        first.cancel()
    go_on.set()

    assert await second == 7
    await asyncio.wait([first])
    assert first.cancelled() or first.exception() is not None or first.result() is None
