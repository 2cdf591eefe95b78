"""Packs that workers share: made once for all of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import grpc.aio
import psutil
import pytest

from gitaly_py.pb.smarthttp_pb2 import PostUploadPackRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from tests.daemon.conftest import NewDaemon
from tests.daemon.test_reloading import change, reload
from tests.daemon.test_workers import behind, connection, one_of_each
from tests.support.daemon import Daemon
from tests.support.fixtures import KEEPS_PACKS, repository_in
from tests.support.pushes import eventually
from tests.support.repositories import GIT, Repo
from tests.support.smarthttp import noisy, wants

SLOW = """#!/bin/sh
# git whose pack-objects begins when it is told to
case " $* " in *" pack-objects "*)
    echo started >> "{root}/packs"
    while [ ! -e "{root}/go" ]; do sleep 0.02; done
    if [ -e "{root}/fail" ]; then exit 1; fi
esac
exec {git} "$@"
"""


@pytest.fixture
def slow(new_daemon: NewDaemon, tmp_path: Path) -> Daemon:
    """A daemon of two workers that keeps packs, made by a git that waits for the file `go`."""
    binary = tmp_path / "git"
    binary.write_text(SLOW.format(root=tmp_path, git=GIT))
    binary.chmod(0o700)
    environment = {"GITALY_TESTING_GIT_BINARY": str(binary)}
    return new_daemon(workers=2, tables=KEEPS_PACKS, environment=environment, grace="20s").start()


def begun(tmp_path: Path) -> int:
    """How many packs were begun to be made."""
    marks = tmp_path / "packs"
    return len(marks.read_text().splitlines()) if marks.exists() else 0


async def cloned(channel: grpc.aio.Channel, repo: Repo, oid: str) -> bytes:
    """The whole answer to a clone."""
    requests = [
        PostUploadPackRequest(repository=repo.message),
        PostUploadPackRequest(data=wants(oid, capabilities="side-band-64k")),
    ]
    return b"".join(
        [message.data async for message in SmartHTTPServiceStub(channel).PostUploadPack(iter(requests))]
    )


def large(daemon: Daemon, size: int = 3_000_000) -> tuple[Repo, str]:
    """A repository whose pack has more than a lead of bytes."""
    repo = repository_in(daemon.storage)
    return repo, noisy(repo, size)


Clone = asyncio.Task[bytes]


async def clones_of(
    channels: Iterable[grpc.aio.Channel], repo: Repo, oid: str, tmp_path: Path
) -> list[Clone]:
    """A clone over each of two connections: the first makes the pack, the second follows it."""
    first, second = channels
    making = asyncio.create_task(cloned(first, repo, oid))
    await eventually(lambda: begun(tmp_path) == 1)
    following = asyncio.create_task(cloned(second, repo, oid))
    await asyncio.sleep(0.3)
    return [making, following]


async def test_clones_at_the_same_time_make_one_pack(slow: Daemon, tmp_path: Path) -> None:
    repo, oid = large(slow)
    async with AsyncExitStack() as connections:
        channels = [await connections.enter_async_context(connection(slow)) for _ in range(8)]
        workers = {await behind(slow, channel, f"c{number}") for number, channel in enumerate(channels)}
        assert len(workers) == 2
        clones = [asyncio.create_task(cloned(channel, repo, oid)) for channel in channels]
        await eventually(lambda: begun(tmp_path) == 1)
        await asyncio.sleep(0.3)
        (tmp_path / "go").touch()

        answers = await asyncio.gather(*clones)

    assert begun(tmp_path) == 1
    assert len(set(answers)) == 1
    assert len(answers[0]) > 3_000_000
    assert answers[0].endswith(b"0000")
    assert slow.stop() == 0


async def test_a_pack_that_one_worker_has_made_is_read_by_the_other(slow: Daemon, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    repo, oid = large(slow)
    async with one_of_each(slow) as channels:
        answers = [await cloned(channel, repo, oid) for channel in channels.values() for _ in range(2)]

    assert len(set(answers)) == 1
    assert begun(tmp_path) == 1
    assert slow.stop() == 0


async def test_the_maker_goes_on_when_only_another_worker_reads(slow: Daemon, tmp_path: Path) -> None:
    repo, oid = large(slow)
    async with one_of_each(slow) as channels:
        leaving, staying = await clones_of(channels.values(), repo, oid, tmp_path)
        leaving.cancel()
        await asyncio.sleep(0.3)
        (tmp_path / "go").touch()

        assert (await staying).endswith(b"0000")
    assert begun(tmp_path) == 1
    assert slow.stop() == 0


async def test_nobody_makes_what_nobody_reads_any_more(slow: Daemon, tmp_path: Path) -> None:
    repo, oid = large(slow)
    async with one_of_each(slow) as channels:
        _, second = channels.values()
        for clone in await clones_of(channels.values(), repo, oid, tmp_path):
            clone.cancel()

        await eventually(lambda: not slow.children())
        (tmp_path / "go").touch()
        assert (await cloned(second, repo, oid)).endswith(b"0000")
    assert begun(tmp_path) == 2
    assert slow.stop() == 0


@pytest.mark.parametrize("fate", ["fails", "is killed"])
async def test_readers_of_a_pack_that_is_not_finished_hear_of_it(
    slow: Daemon, tmp_path: Path, fate: str
) -> None:
    repo, oid = large(slow)
    async with one_of_each(slow) as channels:
        (maker, _), (_, second) = channels.items()
        making, following = await clones_of(channels.values(), repo, oid, tmp_path)
        if fate == "fails":
            (tmp_path / "fail").touch()
            (tmp_path / "go").touch()
        else:
            psutil.Process(maker).kill()

        for clone in (making, following):
            with pytest.raises(grpc.aio.AioRpcError):
                await clone
        (tmp_path / "fail").unlink(missing_ok=True)
        (tmp_path / "go").touch()
        assert (await cloned(second, repo, oid)).endswith(b"0000")


async def test_a_reload_waits_for_a_pack_that_new_workers_read(slow: Daemon, tmp_path: Path) -> None:
    change(slow, str)
    repo, oid = large(slow)
    async with connection(slow) as old:
        making = asyncio.create_task(cloned(old, repo, oid))
        await eventually(lambda: begun(tmp_path) == 1)
        await reload(slow)
        async with connection(slow) as new:
            following = asyncio.create_task(cloned(new, repo, oid))
            await asyncio.sleep(0.5)
            making.cancel()
            await asyncio.sleep(0.5)
            (tmp_path / "go").touch()

            assert (await following).endswith(b"0000")
    assert begun(tmp_path) == 1
    assert slow.stop() == 0


async def test_no_file_of_a_pack_is_left(slow: Daemon, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    repo, oid = large(slow)
    async with one_of_each(slow) as channels:
        for channel in channels.values():
            await cloned(channel, repo, oid)
    cache = slow.storage / "+gitaly/PackObjectsCache"
    assert [path for path in cache.rglob("*") if re.fullmatch(r"[0-9a-f]{20}-\d+", path.name)]

    assert slow.stop() == 0

    assert [path for path in cache.rglob("*") if path.is_file()] == []
