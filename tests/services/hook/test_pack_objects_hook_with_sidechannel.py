"""PackObjectsHookWithSidechannel (transport.md 7.2), with the test in the part of the hook program."""

from __future__ import annotations

import asyncio
import os
import socket as sockets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.rpc.status import Internal
from gitaly_py.services.hook import pack_objects
from gitaly_py.transport.wire import SocketWire
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import Metrics, metrics_when, scrape
from tests.support.pack_hook import ARGS, USER, begin, listening, packed, wanting
from tests.support.repositories import Repo
from tests.support.smarthttp import git_processes
from tests.support.ssh import bands
from tests.support.status import details_of, refused

METHOD = "PackObjectsHookWithSidechannel"
NAMED = {"auth": "authenticated"}
Daemons = Mapping[str, Daemon]
NewRepo = Callable[[], Repo]


def objects_of(repo: Repo, *revisions: str) -> set[str]:
    """What git would send for them."""
    lines = repo.git("rev-list", "--objects", *revisions).splitlines()
    return {line.split()[0] for line in lines}


def objects_in(pack: bytes, folder: Path, *, base: Repo | None = None) -> set[str]:
    """Ids of the objects in a pack, which git finds to be sound. base: has what a thin pack leaves out."""
    fresh = Repo.init(folder)
    if base is not None:
        Path(fresh.path, "objects/info").mkdir(exist_ok=True)
        Path(fresh.path, "objects/info/alternates").write_text(f"{base.path}/objects\n")
    before = set(_ids(fresh))
    fresh.git("index-pack", "--strict", "--fix-thin", "--stdin", stdin=pack)
    return set(_ids(fresh)) - before


def _ids(repo: Repo) -> list[str]:
    found = []
    for index in Path(repo.path, "objects/pack").glob("*.idx"):
        found += [line.split()[1] for line in repo.git("show-index", stdin=index.read_bytes()).splitlines()]
    return found


def large(repo: Repo) -> str:
    """A commit whose pack neither sockets nor pipes can hold."""
    return repo.commit("large\n", {"file": os.urandom(8 << 20)})


def refusal(result: Any) -> tuple[StatusCode, str]:
    assert result.error is not None
    return result.error.code(), result.error.details()


@pytest.mark.parametrize("name", ["not caching", "caching", "hesitating"])
async def test_the_pack_has_what_was_asked_for_however_often_it_is(
    name: str, daemons: Daemons, tmp_path: Path
) -> None:
    served = daemons[name]
    repo = repository_in(served.storage)
    commits = repo.history(6)
    stdin = wanting(commits[-1], have=[commits[2]])
    expected = objects_of(repo, commits[-1], f"^{commits[2]}")

    for number in range(4):
        answer, error = await packed(served.channel, repo, stdin)

        assert error is None
        found = bands(answer)
        assert objects_in(found[1], tmp_path / str(number), base=repo) == expected
        assert found[2].splitlines()[-1].startswith(b"Total ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("caching", ["false", "true", "true"]), ("hesitating", ["false", "false", "true"])],
)
async def test_a_pack_that_is_kept_is_a_hit(name: str, expected: list[str], daemons: Daemons) -> None:
    served = daemons[name]
    repo = repository_in(served.storage)
    stdin = wanting(repo.history(3)[-1])
    hits, keys = [], set()

    for number in range(3):
        correlation = f"{repo.message.relative_path} {number}"
        answer, _ = await packed(served.channel, repo, stdin, USER, ("x-gitlab-correlation-id", correlation))
        entry = await served.access_entry(METHOD, correlation_id=correlation)
        hits.append(entry["pack_objects_cache.hit"])
        keys.add(entry["pack_objects_cache.key"])
        assert entry["pack_objects_cache.served_bytes"] == len(answer)

    assert hits == expected
    assert len(keys) == 1


async def test_users_and_transports_share_a_pack(caching: Daemon, port: int, cached_repo: NewRepo) -> None:
    repo = cached_repo()
    stdin = wanting(repo.history(3)[-1])
    before = await scrape(port)

    first = await packed(caching.channel, repo, stdin, remote_ip="10.0.0.1", gl_id="user-1")
    second = await packed(caching.channel, repo, stdin, remote_ip="10.0.0.2", gl_id="user-2")

    assert first.answer == second.answer != b""
    found = await metrics_when(port, lambda found: _lookups(found, "hit") > _lookups(before, "hit"))
    assert _lookups(found, "miss") == _lookups(before, "miss") + 1


def _lookups(found: Metrics, result: str) -> float:
    return found.total("gitaly_pack_objects_cache_lookups_total", result=result)


async def test_a_pack_without_progress_has_nothing_on_the_second_band(
    caching: Daemon, cached_repo: NewRepo
) -> None:
    repo = cached_repo()
    args = ["--shallow-file", "", "pack-objects", "--revs", "--stdout", "-q"]

    answer, error = await packed(caching.channel, repo, wanting(repo.history(2)[-1]), args=args)

    assert error is None
    found = bands(answer)
    assert found[1].startswith(b"PACK")
    assert found[2] == b""


async def test_a_large_pack_arrives_whole(caching: Daemon, cached_repo: NewRepo, tmp_path: Path) -> None:
    repo = cached_repo()
    oid = large(repo)

    for number in range(2):
        answer, _ = await packed(caching.channel, repo, wanting(oid))
        assert objects_in(bands(answer)[1], tmp_path / str(number)) == objects_of(repo, oid)


async def test_a_long_standard_input_is_taken_whole(
    caching: Daemon, cached_repo: NewRepo, tmp_path: Path
) -> None:
    repo = cached_repo()
    old, *_, new = repo.history(3)

    answer, error = await packed(caching.channel, repo, wanting(new, have=[old] * 50_000))

    assert error is None
    found = objects_in(bands(answer)[1], tmp_path / "fresh", base=repo)
    assert found == objects_of(repo, new, f"^{old}")


async def test_a_quarantine_is_packed_from(caching: Daemon, cached_repo: NewRepo, tmp_path: Path) -> None:
    repo = cached_repo()
    base = repo.history(1)[0]
    apart = Path(repo.path, "objects/incoming")
    apart.mkdir()
    environment = {
        "GIT_OBJECT_DIRECTORY": str(apart),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{repo.path}/objects",
    }
    tree = repo.git("rev-parse", f"{base}^{{tree}}")
    oid = repo.git("commit-tree", "-p", base, "-m", "apart", tree, env=environment)
    message = type(repo.message)()
    message.CopyFrom(repo.message)
    message.git_object_directory = "objects/incoming"
    message.git_alternate_object_directories.append("objects")

    answer, error = await packed(caching.channel, repo, wanting(oid, have=[base]), repository=message)

    assert error is None
    assert objects_in(bands(answer)[1], tmp_path / "fresh", base=repo) == {oid}
    _, error = await packed(caching.channel, repo, wanting(oid, have=[base]))
    assert error is not None


async def test_the_failure_of_git_is_told_to_everyone_who_waits_for_the_pack(
    caching: Daemon, cached_repo: NewRepo
) -> None:
    repo = cached_repo()
    repo.history(1)

    calls = [packed(caching.channel, repo, wanting("1" * 40)) for _ in range(5)]
    for result in await asyncio.gather(*calls):
        code, text = refusal(result)
        assert code is StatusCode.INTERNAL
        assert text.startswith('pack objects hook: git-pack-objects: stderr: "fatal: ')
        assert text.endswith("err: exit status 128")


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "[]: missing pack-objects"),
        (["rev-list", "--stdout"], "[rev-list --stdout]: missing pack-objects"),
        (["--shallow-file", "x", "pack-objects"], "[--shallow-file x pack-objects]: missing pack-objects"),
        (["pack-objects", "--stdout", "x"], "[pack-objects --stdout x]: non-flag argument"),
        (["pack-objects", "--stdout", ""], "[pack-objects --stdout ]: non-flag argument"),
        (["pack-objects", "--revs"], "[pack-objects --revs]: missing --stdout"),
    ],
)
async def test_what_is_no_pack_objects_is_refused(
    daemon: Daemon, repo: Repo, args: list[str], reason: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, f"invalid pack-objects command: {reason}"):
        await begin(daemon.channel, repo, None, args=args)


@pytest.mark.parametrize("path", [None, "/run/other", "/run/sidechannel/x"])
async def test_a_socket_of_another_name_is_refused(daemon: Daemon, repo: Repo, path: str | None) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, f'invalid side channel address: "{path or ""}"'):
        await begin(daemon.channel, repo, path)


async def test_a_socket_where_nobody_listens_is_an_error(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await begin(daemon.channel, repo, tmp_path / "sidechannel")

    assert raised.value.code() is StatusCode.INTERNAL
    assert (raised.value.details() or "").startswith("get side-channel: ")


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ([], "no hooks payload found in environment"),
        (["GITALY_HOOKS_PAYLOAD=a_b"], "illegal base64 data at input byte 1"),
    ],
)
async def test_an_environment_without_a_payload_is_refused(
    daemon: Daemon, repo: Repo, variables: list[str], text: str
) -> None:
    result = await packed(daemon.channel, repo, b"", environment_variables=variables)

    assert result.answer == b""
    assert refusal(result) == (StatusCode.INTERNAL, f"hook payload from env: {text}")


async def test_a_standard_input_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_objects, "MAX_STDIN", 100_000)
    ours, others = sockets.socketpair()
    wire = SocketWire(ours)
    with others:
        others.setblocking(False)
        others.send(bytes(100_000))
        others.send(b"x")
        with pytest.raises(Internal, match="standard input of more than 100000 bytes"):
            await pack_objects._input(wire)
    wire.close()


@pytest.mark.parametrize("name", ["not caching", "caching", "hesitating"])
async def test_a_caller_that_hangs_up_cancels_the_call(name: str, daemons: Daemons) -> None:
    served = daemons[name]
    repo = repository_in(served.storage)
    oid = large(repo)

    async with listening() as socket:
        call = begin(served.channel, repo, socket.path, USER)
        reader = await socket.send(wanting(oid))
        assert await reader.readexactly(100_000)
        await socket.hang_up()
        async with refused(StatusCode.CANCELLED, "pack objects hook: broken pipe"):
            await call

    answer, error = await packed(served.channel, repo, wanting(oid))
    assert error is None
    assert len(bands(answer)[1]) > 8 << 20


@pytest.mark.parametrize("name", ["not caching", "caching"])
async def test_a_cancelled_call_ends_its_git_and_its_socket(name: str, daemons: Daemons) -> None:
    served = daemons[name]
    repo = repository_in(served.storage)

    async with listening() as socket:
        call = await held(served, repo, socket, USER)
        call.cancel()
        reader, _ = await socket.connected
        async with asyncio.timeout(30):
            assert await reader.read()
            while git_processes(served, repo):
                await asyncio.sleep(0.02)


async def held(served: Daemon, repo: Repo, socket: Any, *metadata: tuple[str, str]) -> Any:
    """A call whose caller does not read on."""
    call = begin(served.channel, repo, socket.path, *metadata)
    reader = await socket.send(wanting(large(repo)))
    assert await reader.readexactly(1000)
    return call


async def test_packs_beyond_the_limit_wait_or_are_refused(
    caching: Daemon, port: int, cached_repo: NewRepo
) -> None:
    slow, waiting, third = cached_repo(), cached_repo(), cached_repo()
    oids = [repo.history(1)[0] for repo in (waiting, third)]
    async with listening() as socket:
        call = await held(caching, slow, socket, USER)
        queued = asyncio.create_task(packed(caching.channel, waiting, wanting(oids[0])))
        await metrics_when(port, lambda found: found.total("gitaly_pack_objects_queued", **NAMED) == 1)

        result = await packed(
            caching.channel, third, wanting(oids[1]), USER, ("x-gitlab-correlation-id", "third")
        )
        elsewhere = await packed(caching.channel, third, wanting(oids[1]), remote_ip="10.9.9.9:1234")
        nobody = await packed(caching.channel, third, wanting(oids[1]), remote_ip="127.0.0.1", args=ARGS[:4])

        text = "maximum queue size reached"
        assert refusal(result) == (StatusCode.RESOURCE_EXHAUSTED, f"pack objects hook: {text}")
        assert result.error is not None
        assert details_of(result.error) == [LimitError(error_message=text, retry_after=Duration())]
        assert result.answer == b""
        assert elsewhere.error is None
        assert nobody.error is None
        entry = await caching.access_entry(METHOD, correlation_id="third")
        assert entry["limit.limiting_type"] == "pack-objects"
        assert entry["limit.limiting_key"] == "10.1.2.3"
        assert entry["limit.concurrency_dropped"] == "max_size"
        await socket.hang_up()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert (await queued).error is None
    found = await metrics_when(
        port, lambda found: not found.total("gitaly_pack_objects_in_progress", **NAMED)
    )
    assert found.total("gitaly_pack_objects_dropped_total", **NAMED, reason="max_size") == 1
    assert found.total("gitaly_pack_objects_acquiring_seconds_count", **NAMED) >= 2


async def test_callers_without_a_name_have_their_own_limit(caching: Daemon, cached_repo: NewRepo) -> None:
    slow, other = cached_repo(), cached_repo()
    oid = other.history(1)[0]
    metadata = ("user_id", "1")
    async with listening() as socket:
        call = await held(caching, slow, socket, metadata)

        result = await packed(caching.channel, other, wanting(oid), metadata)
        named = await packed(caching.channel, other, wanting(oid), ("username", ""))
        hit = await packed(caching.channel, other, wanting(oid), metadata)

        text = "maximum time in concurrency queue reached"
        assert refusal(result) == (StatusCode.RESOURCE_EXHAUSTED, f"pack objects hook: {text}")
        assert named.error is None
        assert hit.error is None
        await socket.hang_up()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
