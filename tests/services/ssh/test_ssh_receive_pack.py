from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.ssh_pb2 import SSHReceivePackRequest
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.plain_git import assert_whole, incoming, objects
from tests.support.pushes import install
from tests.support.repositories import Repo
from tests.support.smarthttp import (
    FLUSH,
    PUSHER,
    creation,
    git_processes,
    never,
    pack_of,
    packets,
    pkt,
    report,
    update,
)
from tests.support.ssh import answered, banded, begin, failure_of, push_over_ssh, reported

METHOD = "SSHReceivePack"
FAILED = (StatusCode.INTERNAL, "cmd wait: exit status 128")
BANDS = "report-status side-band-64k"


@pytest.fixture
def source(any_format_repo: Repo, tmp_path: Path) -> Repo:
    """A repository to push from, in the format of the one to push to."""
    return Repo.init(tmp_path / "source", any_format_repo.format.name)


async def test_a_push_is_taken_and_reported(daemon: Daemon, any_format_repo: Repo, source: Repo) -> None:
    oid, body = creation(any_format_repo, source)

    pushed = await push_over_ssh(daemon.channel, any_format_repo, body)

    assert (pushed.error, pushed.exit_statuses, pushed.stderr) == (None, [], b"")
    assert reported(pushed) == ["unpack ok", "ok refs/heads/main"]
    assert any_format_repo.references() == {b"refs/heads/main": oid}
    assert objects(any_format_repo.git_dir) == objects(source.git_dir)
    assert_whole(any_format_repo.git_dir)


async def test_requests_may_stay_open_until_the_answer_is_complete(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    oid, body = creation(repo, Repo.init(tmp_path / "s"))

    pushed = await answered(begin(daemon.channel, METHOD, repo, [body], rest=never()))

    assert reported(pushed) == ["unpack ok", "ok refs/heads/main"]
    assert (pushed.error, repo.references()) == (None, {b"refs/heads/main": oid})


async def test_pushes_share_a_multiplexed_connection(
    connection: MultiplexedConnection, new_repo: NewRepo, tmp_path: Path
) -> None:
    repos = [new_repo() for _ in range(4)]
    made = [creation(repo, Repo.init(tmp_path / str(n)), noise=300_000) for n, repo in enumerate(repos)]
    calls = [
        begin(connection.channel(), METHOD, repo, [body]) for repo, (_, body) in zip(repos, made, strict=True)
    ]

    answers = await asyncio.gather(*(answered(call) for call in calls))

    for repo, (oid, _), pushed in zip(repos, made, answers, strict=True):
        assert reported(pushed) == ["unpack ok", "ok refs/heads/main"]
        assert repo.references() == {b"refs/heads/main": oid}


async def test_a_pack_may_come_in_any_pieces(daemon: Daemon, any_format_repo: Repo, source: Repo) -> None:
    oid, body = creation(any_format_repo, source, noise=300_000)
    small = [body[n : n + 1] for n in range(200)]

    pushed = await push_over_ssh(daemon.channel, any_format_repo, b"", *small, b"", body[200:])

    assert reported(pushed) == ["unpack ok", "ok refs/heads/main"]
    assert any_format_repo.references() == {b"refs/heads/main": oid}


async def test_the_advertisement_shows_what_may_be_pushed(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    repo.ref("refs/merge-requests/1/head", oid)

    pushed = await push_over_ssh(daemon.channel, repo, FLUSH)

    first, *others = [packet for packet in packets(pushed.stdout) if packet]
    assert (pushed.error, pushed.exit_statuses, others) == (None, [], [])
    assert first.startswith(f"{oid} refs/heads/main\0".encode())
    assert {b"push-options", b"atomic", b"delete-refs"} <= set(first.partition(b"\0")[2].split())


async def test_the_protocol_version_is_gits_to_honour(daemon: Daemon, repo: Repo) -> None:
    pushed = await push_over_ssh(daemon.channel, repo, FLUSH, git_protocol="version=1")

    assert pushed.stdout.startswith(pkt("version 1\n"))


async def test_a_deletion_needs_no_pack(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    repo.ref("refs/heads/other", oid)

    pushed = await push_over_ssh(daemon.channel, repo, update(oid, "0" * 40, "refs/heads/other"))

    assert reported(pushed) == ["unpack ok", "ok refs/heads/other"]
    assert repo.references() == {b"refs/heads/main": oid}


async def test_what_is_no_command_fails_with_an_exit_status(daemon: Daemon, repo: Repo) -> None:
    pushed = await push_over_ssh(daemon.channel, repo, pkt("garbage") + FLUSH)

    assert pushed.stderr == b"fatal: protocol error: expected old/new/ref, got 'garbage'\n"
    assert (pushed.exit_statuses, failure_of(pushed)) == ([128], FAILED)
    assert pushed.messages[-1].HasField("exit_status")


async def test_a_client_that_breaks_off_its_commands_has_canceled(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"))

    pushed = await push_over_ssh(daemon.channel, repo, body.partition(FLUSH)[0])

    assert pushed.exit_statuses == [128]
    assert failure_of(pushed) == (StatusCode.CANCELLED, "user canceled the push")
    assert (repo.references(), incoming(repo)) == ({}, [])


async def test_a_message_that_cannot_be_read_fails_the_call(daemon: Daemon, repo: Repo) -> None:
    async def requests() -> AsyncIterator[bytes]:
        yield SSHReceivePackRequest(repository=repo.message, **PUSHER).SerializeToString()
        yield b"\xff"

    call: Any = daemon.channel.stream_stream("/gitaly.SSHService/SSHReceivePack")(requests(), timeout=60)

    with pytest.raises(Exception, match="error unmarshalling request"):
        async for _ in call:
            pass
    assert git_processes(daemon, repo) == []


async def test_a_pack_over_the_size_limit_is_refused_in_band(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"), capabilities=BANDS)

    pushed = await push_over_ssh(daemon.channel, repo, body, git_config_options=["receive.MaxInputSize=1"])

    assert report(banded(pushed)[1]) == [
        "unpack unpack-objects abnormal exit",
        "ng refs/heads/main unpacker error",
    ]
    assert b"fatal: pack exceeds maximum allowed size" in banded(pushed)[2]
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_without_a_side_band_complaints_come_on_stderr(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    source = Repo.init(tmp_path / "s")
    blob = source.blob(b"a")
    tree = source.raw_tree([("100644", b"a", blob), ("100644", b"a", blob)])
    oid = source.commit("twice\n", tree=tree)
    body = update("0" * 40, oid, "refs/heads/main", pack_of(source, oid))

    pushed = await push_over_ssh(daemon.channel, repo, body)

    assert reported(pushed)[1] == "ng refs/heads/main unpacker error"
    assert b"duplicateEntries: contains duplicate file entries" in pushed.stderr
    assert (pushed.error, pushed.exit_statuses) == (None, [])
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_hook_that_refuses_is_reported_in_band(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"), capabilities=BANDS)
    install(
        Path(repo.path, "custom_hooks/pre-receive"),
        'echo "no, $GL_USERNAME ($GL_ID, $GL_REPOSITORY, $GL_PROTOCOL)"; exit 1',
    )

    pushed = await push_over_ssh(daemon.channel, repo, body)

    assert (pushed.error, pushed.exit_statuses) == (None, [])
    assert report(banded(pushed)[1]) == ["unpack ok", "ng refs/heads/main pre-receive hook declined"]
    assert banded(pushed)[2] == b"no, rosa (user-7, project-1, ssh)\n"
    assert (repo.references(), incoming(repo)) == ({}, [])


async def test_a_hook_that_talks_much_is_heard_in_full(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    oid, body = creation(repo, Repo.init(tmp_path / "s"))
    install(Path(repo.path, "custom_hooks/pre-receive"), "seq 100000 >&2")

    pushed = await push_over_ssh(daemon.channel, repo, body)

    assert pushed.stderr == b"".join(b"%d\n" % number for number in range(1, 100_001))
    assert max(len(message.stderr) for message in pushed.messages) <= 128 * 1024
    assert repo.references() == {b"refs/heads/main": oid}


async def test_a_report_is_not_lost_though_git_gives_up_early(daemon: Daemon, repo: Repo) -> None:
    pack = b"PACK" + struct.pack(">II", 2, 3) + b"\x90no zlib stream"
    body = update("0" * 40, "1" * 40, "refs/heads/main", pack)

    pushed = await answered(
        begin(daemon.channel, METHOD, repo, [body, *([bytes(100_000)] * 50)], rest=never())
    )

    assert reported(pushed) == ["unpack unpack-objects abnormal exit", "ng refs/heads/main unpacker error"]
    assert incoming(repo) == []


async def test_the_user_must_be_named(daemon: Daemon, repo: Repo) -> None:
    pushed = await push_over_ssh(daemon.channel, repo, gl_id="", stdin=b"x")

    assert failure_of(pushed) == (StatusCode.INVALID_ARGUMENT, "empty GlId")


async def test_the_first_message_must_have_no_input(daemon: Daemon, repo: Repo) -> None:
    pushed = await push_over_ssh(daemon.channel, repo, stdin=b"early")

    assert failure_of(pushed) == (StatusCode.INVALID_ARGUMENT, "non-empty data in first request")


async def test_both_are_looked_at_before_the_repository(daemon: Daemon, repo: Repo) -> None:
    repo.message.Clear()

    pushed = await push_over_ssh(daemon.channel, repo, stdin=b"early")

    assert failure_of(pushed) == (StatusCode.INVALID_ARGUMENT, "non-empty data in first request")


async def test_there_must_be_a_first_message(daemon: Daemon) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    call: Any = daemon.channel.stream_stream("/gitaly.SSHService/SSHReceivePack")(nothing(), timeout=60)
    pushed = await answered(call)

    assert failure_of(pushed)[0] is StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("x", 'cannot convert invalid config key: "x"'),
        ("nodot=1", 'start cmd: invalid configuration key "nodot"'),
    ],
)
async def test_a_bad_option_is_refused(daemon: Daemon, repo: Repo, option: str, text: str) -> None:
    pushed = await push_over_ssh(daemon.channel, repo, git_config_options=[option])

    code, found = failure_of(pushed)
    assert code is StatusCode.INTERNAL
    assert str(found).startswith(text)
    assert pushed.exit_statuses == []


async def test_options_of_fetches_are_taken_as_well(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    oid, body = creation(repo, Repo.init(tmp_path / "s"))
    options = ["uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "receive.unpackLimit=0"]

    await push_over_ssh(daemon.channel, repo, body, git_config_options=options)

    assert repo.references() == {b"refs/heads/main": oid}
    assert repo.git("count-objects", "-v").splitlines()[0] == "count: 0"
