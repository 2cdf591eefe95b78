from __future__ import annotations

import asyncio
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.transport.client import MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, git_processes, never, noisy, packets, pkt
from tests.support.ssh import Answer, answered, begin, failure_of

METHOD = "SSHUploadArchive"
SAID = "fatal: sent error to the client: git upload-archive: archiver died with error"
DIED = (StatusCode.INTERNAL, f'send: cmd wait: exit status 128, stderr: "{SAID}\\n"')


def asking(*arguments: str) -> bytes:
    """A request for an archive."""
    return b"".join(pkt(f"argument {argument}\n") for argument in arguments) + FLUSH


async def archive(daemon: Daemon, repo: Repo, *pieces: bytes, **first: Any) -> Answer:
    return await answered(begin(daemon.channel, METHOD, repo, pieces, first=first))


def sections(answer: Answer) -> dict[int, bytes]:
    """What git sent on each of its own bands, behind its acknowledgment."""
    found = {1: b"", 2: b"", 3: b""}
    lines = list(packets(answer.stdout))
    assert lines[:2] == [b"ACK\n", None]
    for packet in lines[2:]:
        if packet:
            found[packet[0]] += packet[1:]
    return found


async def test_an_archive_has_the_files_of_a_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    any_format_repo.commit("new\n", {"a/b": b"content", "c": b"c"}, ref="refs/heads/main")

    answer = await archive(daemon, any_format_repo, asking("--format=tar", "--prefix=p/", "main"))

    assert (answer.error, answer.exit_statuses) == (None, [0])
    assert answer.messages[-1].HasField("exit_status")
    with tarfile.open(fileobj=io.BytesIO(sections(answer)[1])) as tar:
        names = [member.name for member in tar.getmembers() if member.isfile()]
        inside = tar.extractfile("p/a/b")
        assert inside is not None
        assert (names, inside.read()) == (["p/a/b", "p/c"], b"content")


async def test_an_archive_is_made_on_a_multiplexed_connection(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    noisy(repo, 1_000_000)

    answer = await answered(begin(connection.channel(), METHOD, repo, [asking("main")], rest=never()))

    assert (answer.error, answer.exit_statuses) == (None, [0])
    assert len(sections(answer)[1]) > 1_000_000
    assert max(len(message.stdout) for message in answer.messages) <= 128 * 1024


async def test_what_git_refuses_is_said_and_has_an_exit_status(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    answer = await archive(daemon, repo, asking("--format=tar", "nowhere"))

    assert sections(answer)[2] == b"fatal: no such ref: nowhere\n"
    assert sections(answer)[3] == b"git upload-archive: archiver died with error"
    assert (failure_of(answer), answer.exit_statuses) == (DIED, [128])


async def test_an_object_that_no_reference_names_is_not_archived(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    answer = await archive(daemon, repo, asking(oid))

    assert sections(answer)[2].startswith(b"fatal: no such ref:")


@pytest.mark.parametrize("sent", [b"", b"0011argu", pkt("argument main\n")])
async def test_a_request_that_breaks_off_fails(daemon: Daemon, repo: Repo, sent: bytes) -> None:
    repo.history(1, "refs/heads/main")

    answer = await archive(daemon, repo, sent)

    assert sections(answer)[2] == b"fatal: the remote end hung up unexpectedly\n"
    assert (failure_of(answer), answer.exit_statuses) == (DIED, [128])


async def test_the_first_message_must_have_no_input(daemon: Daemon, repo: Repo) -> None:
    answer = await archive(daemon, repo, stdin=b"early")

    assert failure_of(answer) == (StatusCode.INVALID_ARGUMENT, "non-empty stdin in first request")


async def test_the_repository_is_looked_at_first(daemon: Daemon, repo: Repo) -> None:
    repo.message.relative_path = "nowhere.git"

    answer = await archive(daemon, repo, stdin=b"early")

    assert failure_of(answer) == (StatusCode.NOT_FOUND, "repository not found")


async def test_a_broken_repository_is_refused_by_git(daemon: Daemon, repo: Repo) -> None:
    Path(repo.path, "config").write_text("x y")

    answer = await archive(daemon, repo, asking("main"))

    assert sections(answer)[2] == b"fatal: bad config line 1 in file ./config\n"
    assert (failure_of(answer), answer.exit_statuses) == (DIED, [128])


async def test_a_client_that_hangs_up_leaves_no_git_behind(daemon: Daemon, repo: Repo) -> None:
    noisy(repo, 8_000_000)
    call = begin(daemon.channel, METHOD, repo, [asking("main")], rest=never())
    await call.read()
    assert git_processes(daemon, repo)

    call.cancel()

    await eventually(lambda: not git_processes(daemon, repo))
    with pytest.raises(asyncio.CancelledError):
        await call.read()
