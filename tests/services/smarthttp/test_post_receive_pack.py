from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest, PostUploadPackWithSidechannelRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo, repository_in
from tests.support.plain_git import assert_whole, incoming, objects
from tests.support.pushes import eventually, install
from tests.support.rails import SECRET, Answer, Rails, running_rails
from tests.support.repositories import Repo
from tests.support.smarthttp import (
    FLUSH,
    PUSHER,
    arguments_of,
    begin_push,
    creation,
    fetch_with,
    git_processes,
    never,
    pack_of,
    packets,
    pkt,
    report,
    sending,
    update,
    wants,
)
from tests.support.status import collect, refused

FAILED = "waiting for receive-pack: exit status 128"


@pytest.fixture
def source(any_format_repo: Repo, tmp_path: Path) -> Repo:
    """A repository to push from, in the format of the one to push to."""
    return Repo.init(tmp_path / "source", any_format_repo.format.name)


async def push(daemon: Daemon, repo: Repo, *pieces: bytes, **first: Any) -> bytes:
    return b"".join(
        [
            message.data
            for message in await collect(begin_push(daemon.channel, repo, pieces, first={**PUSHER, **first}))
        ]
    )


def bands(answer: bytes) -> dict[int, bytes]:
    """What came on each side band."""
    found: dict[int, bytes] = {}
    for packet in packets(answer):
        if packet:
            found[packet[0]] = found.get(packet[0], b"") + packet[1:]
    return found


async def test_a_push_is_taken_and_reported(daemon: Daemon, any_format_repo: Repo, source: Repo) -> None:
    oid, body = creation(any_format_repo, source)

    answer = await push(daemon, any_format_repo, body)

    assert report(answer) == ["unpack ok", "ok refs/heads/main"]
    assert any_format_repo.references() == {b"refs/heads/main": oid}
    assert objects(any_format_repo.git_dir) == objects(source.git_dir)
    assert_whole(any_format_repo.git_dir)


async def test_pushes_and_a_fetch_share_a_multiplexed_connection(
    connection: MultiplexedConnection, new_repo: NewRepo, tmp_path: Path
) -> None:
    repos = [new_repo() for _ in range(4)]
    pushed = [creation(repo, Repo.init(tmp_path / str(n)), noise=300_000) for n, repo in enumerate(repos)]
    fetched = repos[0].history(1, "refs/heads/other")[0]
    request = PostUploadPackWithSidechannelRequest(repository=repos[0].message)
    calls = [
        begin_push(connection.channel(), repo, [body]) for repo, (_, body) in zip(repos, pushed, strict=True)
    ]

    fetch, *answers = await asyncio.gather(
        fetch_with(connection, request, sending(wants(fetched))), *(collect(call) for call in calls)
    )

    assert fetch.error is None
    assert b"PACK" in fetch.answer
    for repo, (oid, _), answer in zip(repos, pushed, answers, strict=True):
        assert report(b"".join(message.data for message in answer)) == ["unpack ok", "ok refs/heads/main"]
        assert repo.references()[b"refs/heads/main"] == oid


async def test_a_pack_may_come_in_any_pieces(daemon: Daemon, any_format_repo: Repo, source: Repo) -> None:
    oid, body = creation(any_format_repo, source, noise=300_000)
    small = [body[n : n + 1] for n in range(200)]

    answer = await push(daemon, any_format_repo, b"", *small, b"", body[200:])

    assert report(answer) == ["unpack ok", "ok refs/heads/main"]
    assert any_format_repo.references() == {b"refs/heads/main": oid}


async def test_a_deletion_needs_no_pack(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    repo.ref("refs/heads/other", oid)

    answer = await push(daemon, repo, update(oid, "0" * 40, "refs/heads/other"))

    assert report(answer) == ["unpack ok", "ok refs/heads/other"]
    assert repo.references() == {b"refs/heads/main": oid}


async def test_a_reference_that_has_moved_is_refused_in_band(daemon: Daemon, repo: Repo) -> None:
    oid, other = repo.history(2, "refs/heads/main")
    repo.ref("refs/heads/moved", other)
    stale = update(oid, "0" * 40, "refs/heads/moved")

    answer = await push(daemon, repo, stale)

    assert report(answer) == ["unpack ok", "ng refs/heads/moved failed to update ref"]
    assert repo.references() == {b"refs/heads/main": other, b"refs/heads/moved": other}


async def test_a_pack_over_the_size_limit_is_refused_in_band(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"), capabilities="report-status side-band-64k")

    answer = await push(daemon, repo, body, git_config_options=["receive.MaxInputSize=1"])

    assert report(bands(answer)[1]) == [
        "unpack unpack-objects abnormal exit",
        "ng refs/heads/main unpacker error",
    ]
    assert b"fatal: pack exceeds maximum allowed size" in bands(answer)[2]
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_an_object_that_fails_the_check_is_refused_in_band(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    source = Repo.init(tmp_path / "s")
    blob = source.blob(b"a")
    tree = source.raw_tree([("100644", b"a", blob), ("100644", b"a", blob)])
    oid = source.commit("twice\n", tree=tree)
    body = update(
        "0" * 40, oid, "refs/heads/main", pack_of(source, oid), capabilities="report-status side-band-64k"
    )

    answer = await push(daemon, repo, body)

    assert report(bands(answer)[1])[1] == "ng refs/heads/main unpacker error"
    assert b"duplicateEntries: contains duplicate file entries" in bands(answer)[2]
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_hook_that_refuses_is_reported_in_band(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"), capabilities="report-status side-band-64k")
    install(
        Path(repo.path, "custom_hooks/pre-receive"),
        'echo "no, $GL_USERNAME ($GL_ID, $GL_REPOSITORY)"; exit 1',
    )

    answer = await push(daemon, repo, body)

    assert report(bands(answer)[1]) == ["unpack ok", "ng refs/heads/main pre-receive hook declined"]
    assert bands(answer)[2] == b"no, rosa (user-7, project-1)\n"
    assert (repo.references(), incoming(repo)) == ({}, [])


async def test_a_pack_that_breaks_off_changes_nothing(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"), noise=100_000)

    answer = await push(daemon, repo, body[:-50_000])

    assert report(answer)[1:] == ["ng refs/heads/main unpacker error"]
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


@pytest.mark.parametrize(
    "body",
    [b"no pkt-line", pkt("0000 1111 refs/heads/main") + FLUSH, pkt("x" * 100), b"fffff"],
    ids=["garbage", "bad oids", "no command", "too long"],
)
async def test_what_git_cannot_read_fails_the_call(daemon: Daemon, repo: Repo, body: bytes) -> None:
    async with refused(StatusCode.FAILED_PRECONDITION, FAILED):
        await push(daemon, repo, body)


async def test_a_push_of_nothing_is_fine(daemon: Daemon, repo: Repo) -> None:
    assert await push(daemon, repo, FLUSH) == b""


async def test_a_report_is_not_lost_though_git_gives_up_early(daemon: Daemon, repo: Repo) -> None:
    pack = b"PACK" + struct.pack(">II", 2, 3) + b"\x90no zlib stream"
    body = update("0" * 40, "1" * 40, "refs/heads/main", pack)

    answer = await push(daemon, repo, body, *([bytes(100_000)] * 200))

    assert report(answer) == ["unpack unpack-objects abnormal exit", "ng refs/heads/main unpacker error"]
    assert incoming(repo) == []


async def test_git_may_end_before_the_client_does(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.FAILED_PRECONDITION, FAILED):
        await collect(begin_push(daemon.channel, repo, [b"no pkt-line"], rest=never()))


async def test_the_user_must_be_named(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "empty GlId"):
        await push(daemon, repo, gl_id="", data=b"x")


async def test_the_first_message_must_have_no_data(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "non-empty Data"):
        await push(daemon, repo, data=b"early")


async def test_the_user_is_looked_at_before_the_repository(daemon: Daemon) -> None:
    stub: Any = daemon.stub(SmartHTTPServiceStub)

    async with refused(StatusCode.INVALID_ARGUMENT, "empty GlId"):
        await collect(stub.PostReceivePack(iter([PostReceivePackRequest()])))


async def test_an_option_without_a_value_is_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INTERNAL, 'cannot convert invalid config key: "x"'):
        await push(daemon, repo, git_config_options=["x"])


async def test_options_of_fetches_are_taken_as_well(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    oid, body = creation(repo, Repo.init(tmp_path / "s"))
    options = ["uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "receive.unpackLimit=0"]

    await push(daemon, repo, body, git_config_options=options)

    assert repo.references() == {b"refs/heads/main": oid}
    assert repo.git("count-objects", "-v").splitlines()[0] == "count: 0"


async def test_a_client_that_hangs_up_in_mid_pack_leaves_nothing_behind(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"), noise=200_000)
    pushing = begin_push(daemon.channel, repo, [body[:100_000]], rest=never())
    waiting = asyncio.ensure_future(pushing.read())
    await eventually(lambda: bool(incoming(repo)))

    pushing.cancel()

    await eventually(lambda: not git_processes(daemon, repo))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_client_that_hangs_up_ends_the_hook_it_waits_for(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"))
    install(Path(repo.path, "custom_hooks/pre-receive"), "touch started; exec sleep 600")
    pushing = begin_push(daemon.channel, repo, [body])
    waiting = asyncio.ensure_future(pushing.read())
    await eventually(lambda: Path(repo.path, "started").exists())

    pushing.cancel()

    await eventually(lambda: not git_processes(daemon, repo) and not sleeping(daemon))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (repo.references(), incoming(repo)) == ({}, [])


def sleeping(daemon: Daemon) -> list[int]:
    return [child.pid for child in daemon.children() if arguments_of(child)[:2] == ["sleep", "600"]]


@pytest_asyncio.fixture(scope="module")
async def rails() -> AsyncIterator[Rails]:
    async with running_rails() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def governed(
    rails: Rails, tmp_path_factory: pytest.TempPathFactory, engine: str
) -> AsyncIterator[Daemon]:
    """A daemon that asks Rails before it takes a push."""
    root = tmp_path_factory.mktemp("governed")
    (root / "secret").write_bytes(SECRET)
    tables = f'[gitlab]\nurl = "{rails.url}"\nsecret_file = "{root}/secret"\n'
    started = Daemon(root, engine=engine, tables=tables).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


async def test_rails_is_asked_with_the_facts_of_the_push(
    governed: Daemon, rails: Rails, tmp_path: Path
) -> None:
    repo = repository_in(governed.storage)
    oid, body = creation(repo, Repo.init(tmp_path / "s"))
    rails.requests.clear()

    answer = await push(governed, repo, body)

    assert report(answer) == ["unpack ok", "ok refs/heads/main"]
    assert [request.path for request in rails.requests] == ["/allowed", "/pre_receive", "/post_receive"]
    allowed = rails.asked("/allowed")[0]
    changes = f"{'0' * 40} {oid} refs/heads/main\n"
    assert (allowed.body["changes"], allowed.body["user_id"], allowed.body["protocol"]) == (
        changes,
        "7",
        "http",
    )
    assert (allowed.body["gl_repository"], allowed.headers["X-Forwarded-For"]) == ("project-1", "10.1.2.3")


async def test_a_push_that_rails_denies_is_refused_in_band(
    governed: Daemon, rails: Rails, tmp_path: Path
) -> None:
    repo = repository_in(governed.storage)
    _, body = creation(repo, Repo.init(tmp_path / "s"), capabilities="report-status side-band-64k")
    rails.answers["/allowed"] = Answer({"status": False, "message": "not on a Friday"})
    try:
        answer = await push(governed, repo, body)
    finally:
        rails.answers["/allowed"] = Answer({"status": True})

    assert report(bands(answer)[1]) == ["unpack ok", "ng refs/heads/main pre-receive hook declined"]
    assert bands(answer)[2].strip() == b"GitLab: not on a Friday"
    assert repo.references() == {}
