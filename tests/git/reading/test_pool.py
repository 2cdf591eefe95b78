from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from mmap import PAGESIZE
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from gitaly_py.git.commands import Command
from gitaly_py.git.process import PIPE, Git
from gitaly_py.git.reading.catfile import CatFile
from gitaly_py.git.reading.errors import ObjectUnreadable
from gitaly_py.git.reading.pool import CatFilePool
from gitaly_py.git.wire import catfile
from tests.support.repositories import Repo


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def pool(git: Git, clock: Clock) -> AsyncIterator[CatFilePool]:
    pool = CatFilePool(git, limit=2, clock=clock)
    yield pool
    await pool.close()
    assert not len(pool)


async def use(pool: CatFilePool, repo: Repo, identity: object = None) -> CatFile:
    async with pool.borrow(repo.repository, identity) as process:
        await process.send(catfile.info, [b"HEAD"])
        await process.info(b"HEAD")
    return process


async def test_a_clean_process_is_used_again(pool: CatFilePool, sha1: Repo) -> None:
    first = await use(pool, sha1)

    assert len(pool) == 1
    assert await use(pool, sha1) is first


async def test_no_more_is_sent_ahead_than_a_pipe_that_the_system_made_small_holds(
    git: Git, sha1: Repo
) -> None:
    command = Command(name="cat-file", flags=["-z", "--batch-command", "--buffer"])
    async with git.start(sha1.repository, command, stdin=PIPE) as process:
        assert process.stdin is not None
        fcntl.fcntl(process.stdin.fd, fcntl.F_SETPIPE_SZ, PAGESIZE)
        small = CatFile(process, b"\n")

    assert (small.room, small.window) == (PAGESIZE, PAGESIZE // 4)


async def test_a_process_has_one_user_at_a_time(pool: CatFilePool, sha1: Repo) -> None:
    async with pool.borrow(sha1.repository, None) as one, pool.borrow(sha1.repository, None) as other:
        assert one is not other

    assert len(pool) == 1, "one that comes back replaces the one that is there"


async def test_unread_replies_end_a_process(pool: CatFilePool, sha1: Repo) -> None:
    async with pool.borrow(sha1.repository, None) as process:
        await process.send(catfile.info, [b"HEAD"])

    assert len(pool) == 0
    assert not process.clean


async def test_a_failing_user_ends_a_process_in_mid_reply(pool: CatFilePool, sha1: Repo) -> None:
    async def fail() -> None:
        async with pool.borrow(sha1.repository, None) as process:
            await process.send(catfile.info, [b"HEAD"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert len(pool) == 0


async def test_another_repository_at_the_same_path_gets_another_process(
    pool: CatFilePool, sha1: Repo
) -> None:
    first = await use(pool, sha1, "one")

    assert await use(pool, sha1, "two") is not first


async def test_alternates_linked_later_need_another_process(
    pool: CatFilePool, sha1: Repo, tmp_path: Path
) -> None:
    first = await use(pool, sha1)
    other = Repo.init(tmp_path / "other.git")
    with open(f"{sha1.path}/objects/info/alternates", "w") as file:
        file.write(f"{other.path}/objects\n")

    assert await use(pool, sha1) is not first


async def test_the_oldest_goes_when_there_are_too_many(pool: CatFilePool, tmp_path: Path) -> None:
    repos = [Repo.init(tmp_path / f"{number}.git") for number in range(3)]
    used = [await use(pool, repo) for repo in repos]

    assert len(pool) == 2
    assert [process.clean for process in used] == [False, True, True]


async def test_idle_processes_expire(pool: CatFilePool, clock: Clock, sha1: Repo, tmp_path: Path) -> None:
    old = await use(pool, sha1)
    clock.now += 6
    young = await use(pool, Repo.init(tmp_path / "other.git"))
    clock.now += 5
    await pool.expire()

    assert [old.clean, young.clean] == [False, True]
    assert len(pool) == 1


async def test_a_removed_repository_is_evicted(pool: CatFilePool, sha1: Repo, tmp_path: Path) -> None:
    gone = await use(pool, sha1)
    kept = await use(pool, Repo.init(tmp_path / "other.git"))
    await pool.evict(sha1.path)

    assert [gone.clean, kept.clean] == [False, True]


async def test_a_process_that_ended_by_itself_is_not_given_out(
    pool: CatFilePool, git: Git, sha1: Repo
) -> None:
    first = await use(pool, sha1)
    await git.close()

    assert await use(pool, sha1) is not first


async def test_a_repository_that_git_refuses_is_an_error(pool: CatFilePool, sha1: Repo) -> None:
    with open(f"{sha1.path}/HEAD", "w") as file:
        file.write("garbage\n")

    with pytest.raises(ObjectUnreadable, match="not a git repository"):
        await use(pool, sha1)


async def test_a_user_cancelled_while_it_gives_back_loses_no_process(
    pool: CatFilePool, git: Git, sha1: Repo
) -> None:
    go = asyncio.Event()

    async def borrow_until(event: asyncio.Event) -> None:
        async with pool.borrow(sha1.repository, None):
            await event.wait()

    users = [asyncio.ensure_future(borrow_until(go)) for _ in range(3)]
    await asyncio.sleep(0.1)
    go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for user in users:
        user.cancel()
    await asyncio.gather(*users, return_exceptions=True)
    await pool.close()

    assert [child.name() for child in psutil.Process().children() if child.name() == "git"] == []
