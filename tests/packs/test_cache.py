"""Who shares a pack with whom, and for how long (transport.md 7.5)."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gitaly_py.git.errors import UnknownReferenceBackend
from gitaly_py.packs.errors import InvalidPackObjectsCommand, PackFailed, PacksClosed
from tests.support.packs import Cache, cache, check_pack, demultiplexed, drain, pack_of, request
from tests.support.repositories import Repo

QUIET = ("pack-objects", "--revs", "--stdout", "-q")


async def test_a_pack_is_what_git_makes_of_the_same_request(kept: Cache, small: Repo, tmp_path: Path) -> None:
    asked = request(small)
    packets = await kept.fetch(asked)

    pack = check_pack(packets, small, tmp_path)
    assert pack == small.git_bytes(*asked.args, stdin=asked.stdin)
    assert b"Total 60 (delta " in demultiplexed(packets)[1]


async def test_a_thin_pack_goes_only_to_who_has_its_bases(kept: Cache, small: Repo) -> None:
    newest = small.git("rev-parse", "main")
    oldest = small.git("rev-list", "--max-parents=0", "main")
    packets = await kept.fetch(request(small, newest, haves=[oldest]))

    asked = request(small, newest, haves=[oldest])
    assert pack_of(packets) == small.git_bytes(*asked.args, stdin=asked.stdin)
    assert await kept.fetch(request(small)) != packets
    assert kept.runs == 2


@pytest.mark.parametrize(("size", "clients"), [("small", 100), ("large", 10)])
async def test_clients_at_once_cost_one_run(
    kept: Cache, small: Repo, large: Repo, tmp_path: Path, size: str, clients: int
) -> None:
    repo = {"small": small, "large": large}[size]
    first, *others = await asyncio.gather(*(kept.fetch(request(repo)) for _ in range(clients)))

    assert kept.runs == 1
    check_pack(first, repo, tmp_path)
    assert set(others) == {first}
    assert len(kept.files()) == 1


async def test_readers_share_one_descriptor(kept: Cache, large: Repo) -> None:
    asked = request(large)
    async with kept.open(asked) as first:
        await first.started()
        before = len(os.listdir("/proc/self/fd"))
        async with kept.open(asked) as second, kept.open(asked) as third:
            assert (first.hit, second.hit, third.hit) == (False, True, True)
            assert len(os.listdir("/proc/self/fd")) == before
            await asyncio.gather(drain(first), drain(second), drain(third))


async def test_who_joins_midway_begins_at_the_beginning(kept: Cache, large: Repo) -> None:
    asked = request(large)
    async with kept.open(asked) as first:
        beginning = await first.read(100_000)
        async with kept.open(asked) as second:
            assert second.hit
            rest, whole = await asyncio.gather(drain(first), drain(second))
    assert whole == beginning + rest
    assert kept.runs == 1


async def test_a_second_reader_goes_on_when_the_first_hangs_up(
    kept: Cache, large: Repo, tmp_path: Path
) -> None:
    asked = request(large)
    async with kept.open(asked) as second:
        async with kept.open(asked) as first:
            await first.read(100_000)
        check_pack(await drain(second), large, tmp_path)
    assert kept.runs == 1
    assert await kept.fetch(asked)
    assert kept.runs == 1


async def test_the_request_that_started_a_pack_may_be_cancelled(kept: Cache, large: Repo) -> None:
    asked = request(large)

    async def first() -> None:
        async with kept.open(asked) as reader:
            await reader.read(1000)
            await asyncio.Event().wait()

    task = asyncio.create_task(first())
    await kept.until(kept.children)
    async with kept.open(asked) as reader:
        task.cancel()
        await asyncio.wait([task])
        assert await drain(reader)
    assert kept.runs == 1


async def test_git_ends_with_the_last_reader(kept: Cache, large: Repo) -> None:
    asked = request(large)
    async with kept.open(asked) as first, kept.open(asked):
        await first.read(1000)
        (git,) = kept.children()
    await kept.until(lambda: not kept.children())

    assert not git.is_running()
    await kept.until(lambda: not kept.files())
    assert await kept.fetch(asked)
    assert kept.runs == 2


async def test_a_reader_that_leaves_at_once_starts_nothing(kept: Cache, small: Repo) -> None:
    async with kept.open(request(small)):
        pass
    await kept.until(lambda: not kept.files())
    assert kept.runs == 0


async def test_what_is_asked_for_seldom_is_not_kept(tmp_path: Path, small: Repo) -> None:
    async with cache(tmp_path / "cache", min_occurrences=2) as seldom:
        asked = request(small, args=QUIET)
        packs = [pack_of(await seldom.fetch(asked)) for _ in range(2)]
        assert (seldom.runs, seldom.files()) == (2, [])

        first = await seldom.fetch(asked)
        assert set(packs) == {pack_of(first)}
        assert (seldom.runs, len(seldom.files())) == (3, 1)
        assert await seldom.fetch(asked) == first
        assert seldom.runs == 3


async def test_what_is_not_kept_is_not_shared(tmp_path: Path, large: Repo) -> None:
    async with cache(tmp_path / "cache", min_occurrences=2) as seldom:
        asked = request(large)
        one, other = await asyncio.gather(seldom.fetch(asked), seldom.fetch(asked))
        check_pack(one, large, tmp_path)
        assert pack_of(one) == pack_of(other)
        assert seldom.runs == 2

        async with seldom.open(request(large, generation=1)) as reader:
            await reader.read(1000)
        await seldom.until(lambda: not seldom.children())


async def test_a_pack_is_as_old_as_the_beginning_of_its_making(tmp_path: Path, large: Repo) -> None:
    async with cache(tmp_path / "cache", max_age=100) as aging:
        asked = request(large)
        async with aging.open(asked) as reader:
            aging.now += 99
            await drain(reader)
        assert await aging.fetch(asked)
        assert aging.runs == 1

        aging.now += 2
        async with aging.open(asked) as reader:
            assert not reader.hit
            await drain(reader)
        assert aging.runs == 2
        await aging.until(lambda: len(aging.files()) == 1)


async def test_cleaning_drops_old_packs_under_their_readers(tmp_path: Path, large: Repo) -> None:
    async with cache(tmp_path / "cache", max_age=100) as aging:
        asked = request(large)
        whole = await aging.fetch(asked)
        async with aging.open(asked) as reader:
            beginning = await reader.read(1000)
            aging.now += 101
            await aging.packs.clean()
            await aging.until(lambda: not aging.files())
            assert beginning + await drain(reader) == whole


async def test_a_file_that_was_deleted_is_made_anew(kept: Cache, large: Repo) -> None:
    asked = request(large)
    async with kept.open(asked) as former:
        beginning = await former.read(1000)
        (file,) = kept.files()
        file.unlink()
        whole = await kept.fetch(asked)
        assert pack_of(beginning + await drain(former)) == pack_of(whole)
    assert kept.runs == 2
    assert await kept.fetch(asked) == whole
    assert kept.runs == 2

    (file,) = kept.files()
    os.truncate(file, 1000)
    assert pack_of(await kept.fetch(asked)) == pack_of(whole)
    assert kept.runs == 3


async def test_the_pack_not_used_for_longest_makes_room(tmp_path: Path, small: Repo) -> None:
    names = [small.git("rev-parse", f"main~{back}") for back in range(3)]
    one, two, three = (request(small, name, args=QUIET) for name in names)
    async with cache(tmp_path / "cache") as unlimited:
        sizes = [len(await unlimited.fetch(each)) for each in (one, two, three)]

    async with cache(tmp_path / "cache", max_size=sum(sizes) - 1000) as limited:
        for each in (one, two, one, three):
            await limited.fetch(each)
        assert limited.runs == 3
        await limited.until(lambda: len(limited.files()) == 2)

        await limited.fetch(one)
        assert limited.runs == 3
        await limited.fetch(two)
        assert limited.runs == 4


async def test_a_pack_that_is_larger_than_all_may_be_is_only_served(tmp_path: Path, large: Repo) -> None:
    async with cache(tmp_path / "cache", max_size=1000) as limited:
        check_pack(await limited.fetch(request(large)), large, tmp_path)
        await limited.until(lambda: not limited.files())


async def test_a_new_generation_ends_the_packs_of_its_repository(
    kept: Cache, small: Repo, large: Repo
) -> None:
    await kept.fetch(request(small))
    other = request(large)
    async with kept.open(request(small, generation=1)), kept.open(other) as reader:
        kept.generations.raise_of(large.path)
        await kept.until(lambda: len(kept.files()) == 2)
        whole = await drain(reader)
        await kept.until(lambda: len(kept.files()) == 2)

    assert pack_of(await kept.fetch(other)) == pack_of(whole)
    assert kept.runs == 4
    await kept.fetch(request(small))
    assert kept.runs == 4


async def test_a_refusal_reaches_everyone_who_waits(kept: Cache, small: Repo) -> None:
    decided = asyncio.Event()

    @asynccontextmanager
    async def refuse():
        await decided.wait()
        raise RuntimeError("too many")
        yield

    async def ask() -> RuntimeError:
        async with kept.open(request(small), refuse) as reader:
            with pytest.raises(RuntimeError, match=r"^too many$") as raised:
                await reader.started()
            return raised.value

    waiting = [asyncio.create_task(ask()) for _ in range(5)]
    await asyncio.sleep(0)
    decided.set()
    refused = await asyncio.gather(*waiting)
    # Each gets an error of its own, to which more may be added.
    assert len(set(map(id, refused))) == 5
    assert await kept.fetch(request(small))


async def test_who_is_admitted_stays_so_until_git_has_ended(kept: Cache, large: Repo) -> None:
    inside = []

    @asynccontextmanager
    async def admitted():
        inside.append("in")
        yield
        assert not kept.children()
        inside.append("out")

    asked = request(large)
    async with kept.open(asked, admitted) as reader:
        await reader.started()
        assert inside == ["in"]
        await drain(reader)
    assert inside == ["in", "out"]
    await kept.fetch(asked, admitted)
    assert inside == ["in", "out"]


async def test_a_command_that_is_none_of_upload_packs_is_refused(kept: Cache, small: Repo) -> None:
    with pytest.raises(InvalidPackObjectsCommand):
        async with kept.open(request(small, args=("pack-objects", "--stdout", "x"))):
            pass
    assert kept.runs == 0


async def test_closing_ends_who_makes_and_lets_who_reads_finish(
    tmp_path: Path, small: Repo, large: Repo
) -> None:
    async with cache(tmp_path / "cache") as closing:
        whole = await closing.fetch(request(small))
        async with closing.open(request(small)) as complete, closing.open(request(large)) as begun:
            await begun.read(1000)
            await closing.packs.close()

            assert await drain(complete) == whole
            with pytest.raises(PacksClosed):
                await drain(begun)
            with pytest.raises(PacksClosed):
                await closing.fetch(request(small))


@pytest.mark.parametrize("min_occurrences", [0, 1], ids=["kept", "direct"])
class TestFailures:
    async def test_what_git_says_when_it_fails_is_told(
        self, tmp_path: Path, small: Repo, min_occurrences: int
    ) -> None:
        async with cache(tmp_path / "cache", min_occurrences=min_occurrences) as failing:
            asked = request(small, "0" * 39 + "1")
            async with failing.open(asked) as reader:
                with pytest.raises(
                    PackFailed, match=r'^git-pack-objects: stderr: "fatal: .*" err: exit status 128$'
                ) as raised:
                    await drain(reader)
            assert raised.value.stderr.startswith(b"fatal: ")
            await failing.until(lambda: not failing.files())

    async def test_a_git_that_is_killed_fails_its_readers_behind_whole_packets(
        self, tmp_path: Path, large: Repo, min_occurrences: int
    ) -> None:
        async with cache(tmp_path / "cache", min_occurrences=min_occurrences) as failing:
            async with failing.open(request(large)) as reader:
                got = await reader.read(1000)
                for git in failing.children():
                    git.kill()
                while data := await reader.read(100_000):
                    got += data
                assert reader.done
                with pytest.raises(PackFailed, match=r'^git-pack-objects: stderr: ".*" err: signal: killed$'):
                    reader.check()
                demultiplexed(got)
            runs = failing.runs
            assert await failing.fetch(request(large))
            assert failing.runs == runs + 1

    async def test_a_git_that_cant_be_started_is_told_before_the_first_byte(
        self, tmp_path: Path, small: Repo, min_occurrences: int
    ) -> None:
        async with cache(tmp_path / "cache", min_occurrences=min_occurrences) as failing:
            small.git("config", "extensions.refStorage", "nonsense")
            async with failing.open(request(small, "1" * 40)) as reader:
                with pytest.raises(UnknownReferenceBackend):
                    await reader.started()
