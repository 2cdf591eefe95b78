"""What is left when the daemon or a client is killed in the middle of a push."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import grpc.aio
import psutil
import pytest

from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.plain_git import assert_whole, incoming, objects
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import arguments_of, begin_push, creation, never, report
from tests.support.status import collect


def files(repo: Repo) -> set[str]:
    """Every path in the repository."""
    return {str(path.relative_to(repo.path)) for path in Path(repo.path).rglob("*")}


def git_anywhere(repo: Repo) -> list[psutil.Process]:
    """Processes that have the repository in their arguments, whoever started them."""
    return [process for process in psutil.process_iter() if repo.path in arguments_of(process)]


async def kill(daemon: Daemon, call: Any) -> None:
    """Kills the daemon, whose call then fails."""
    daemon.kill()
    with pytest.raises(grpc.aio.AioRpcError):
        await collect(call)
    await daemon.close_channel()


@pytest.mark.parametrize("moment", ["the pack arrives", "the hook runs"])
async def test_a_daemon_killed_in_mid_push_leaves_the_repository_as_it_was(
    new_daemon: NewDaemon, tmp_path: Path, moment: str
) -> None:
    daemon = new_daemon().start()
    repo = repository_in(daemon.storage)
    old = repo.history(2, "refs/heads/main")[-1]
    install(Path(repo.path, "custom_hooks/pre-receive"), "until [ -e ../go ]; do sleep 0.02; done")
    before = files(repo)
    oid, body = creation(repo, Repo.init(tmp_path / "source"), noise=300_000)
    body = body.replace(b"0" * 40, old.encode(), 1)
    half = [body[:150_000]] if moment == "the pack arrives" else [body]
    call = begin_push(daemon.channel, repo, half, rest=never() if moment == "the pack arrives" else None)
    await eventually(lambda: bool(incoming(repo)))
    if moment == "the hook runs":
        await eventually(
            lambda: any("pre-receive" in " ".join(arguments_of(each)) for each in daemon.children())
        )

    await kill(daemon, call)
    await eventually(lambda: not git_anywhere(repo))
    (Path(repo.path).parent / "go").touch()
    daemon.start()
    await eventually(lambda: files(repo) == before)

    assert repo.references() == {b"refs/heads/main": old}
    assert_whole(repo.git_dir)
    answer = [message.data async for message in begin_push(daemon.channel, repo, [body])]
    assert report(b"".join(answer)) == ["unpack ok", "ok refs/heads/main"]
    assert repo.references() == {b"refs/heads/main": oid}
    await daemon.close_channel()
    assert daemon.stop() == 0
    assert list((daemon.root / "run").iterdir()) == []
    assert list((daemon.storage / "+gitaly/tmp").iterdir()) == []


async def test_the_next_start_removes_what_a_killed_daemon_had_in_hand(new_daemon: NewDaemon) -> None:
    daemon = new_daemon().start()
    daemon.kill()
    temporary = daemon.storage / "+gitaly/tmp/repo123/objects"
    temporary.mkdir(parents=True)
    (stale,) = (daemon.root / "run").iterdir()

    daemon.start()

    assert not temporary.parent.exists()
    assert not stale.exists()
    assert daemon.stop() == 0


async def test_git_killed_in_mid_push_fails_the_call(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "source"), noise=300_000)
    call = begin_push(daemon.channel, repo, [body[:150_000]], rest=never())
    await eventually(lambda: bool(incoming(repo)))

    def receiving() -> list[psutil.Process]:
        return [child for child in daemon.children() if repo.path in arguments_of(child)]

    # Others come and go before it, which say what the repository is like.
    await eventually(lambda: len(receiving()) == 1)
    receiving()[0].kill()

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert raised.value.details() == "waiting for receive-pack: signal: killed"
    assert repo.references() == {}


async def test_index_pack_killed_in_mid_push_is_reported_in_band(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "source"), noise=300_000)
    rest = never()
    call = begin_push(daemon.channel, repo, [body[:150_000]], rest=rest)
    await eventually(lambda: bool(incoming(repo)))
    await eventually(lambda: bool(unpacking(daemon, repo)))

    for process in unpacking(daemon, repo):
        process.kill()
    rest.set_result(body[150_000:])

    answer = b"".join([message.data async for message in call])
    assert report(answer)[1:] == ["ng refs/heads/main unpacker error"]
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


def unpacking(daemon: Daemon, repo: Repo) -> list[psutil.Process]:
    """What receive-pack has started to take the pack in."""
    return [
        child
        for child in daemon.children()
        if {"unpack-objects", "index-pack"} & set(arguments_of(child))
        and os.path.samefile(child.cwd(), repo.path)
    ]
