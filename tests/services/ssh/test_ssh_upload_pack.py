from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from tests.support.daemon import Daemon
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, git_processes, never, noisy, pkt, wants
from tests.support.ssh import Answer, answered, begin, failure_of

METHOD = "SSHUploadPack"
ABSENT = "1" * 40
CANCELED = (StatusCode.CANCELLED, "running upload-pack: user canceled the request")


async def fetch(daemon: Daemon, repo: Repo, *pieces: bytes, **first: Any) -> Answer:
    return await answered(begin(daemon.channel, METHOD, repo, pieces, first=first))


async def test_a_fetch_brings_the_advertisement_and_a_pack(
    daemon: Daemon, any_format_repo: Repo, tmp_path: Path
) -> None:
    repo = any_format_repo
    commits = repo.history(3, "refs/heads/main")

    answer = await fetch(daemon, repo, wants(commits[-1]))

    assert (answer.error, answer.exit_statuses) == (None, [])
    assert b"Enumerating objects" in answer.stderr
    target = Repo.init(tmp_path / "target.git", repo.format.name)
    target.git("index-pack", "--strict", "--stdin", stdin=answer.stdout.partition(b"NAK\n")[2])
    assert target.git("rev-list", commits[-1]).split() == commits[::-1]


async def test_a_request_may_come_in_any_pieces(daemon: Daemon, repo: Repo) -> None:
    body = wants(repo.history(1, "refs/heads/main")[0])

    answer = await fetch(daemon, repo, b"", *(body[n : n + 1] for n in range(len(body))), b"")

    assert answer.stdout == (await fetch(daemon, repo, body)).stdout


async def test_an_answer_comes_in_messages_of_at_most_128_kib(daemon: Daemon, repo: Repo) -> None:
    oid = noisy(repo, 1_000_000)

    answer = await fetch(daemon, repo, wants(oid))

    assert max(len(message.stdout) for message in answer.messages) <= 128 * 1024
    assert len(answer.stdout) > 1_000_000


async def test_the_protocol_version_is_gits_to_honour(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    answer = await fetch(daemon, repo, pkt("command=ls-refs\n") + FLUSH, git_protocol="version=2")

    assert answer.stdout.endswith(pkt(f"{oid} HEAD\n") + pkt(f"{oid} refs/heads/main\n") + FLUSH)
    assert answer.error is None


async def test_what_git_refuses_has_an_exit_status_before_the_error(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    answer = await fetch(daemon, repo, wants(ABSENT))

    said = f"fatal: git upload-pack: not our ref {ABSENT}"
    assert (answer.stderr, answer.exit_statuses) == (f"{said}\n".encode(), [128])
    assert answer.messages[-1].HasField("exit_status")
    text = f'running upload-pack: cmd wait: exit status 128, stderr: "{said}\\n"'
    assert failure_of(answer) == (StatusCode.INTERNAL, text)


async def test_a_request_that_breaks_off_was_canceled(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    answer = await fetch(daemon, repo, b"0011agent")

    assert (failure_of(answer), answer.exit_statuses) == (CANCELED, [128])


async def test_the_first_message_must_have_no_input(daemon: Daemon, repo: Repo) -> None:
    answer = await fetch(daemon, repo, stdin=b"early")

    assert failure_of(answer) == (StatusCode.INVALID_ARGUMENT, "non-empty stdin in first request")
    assert answer.messages == []


async def test_the_repository_is_looked_at_first(daemon: Daemon, repo: Repo) -> None:
    repo.message.relative_path = "nowhere.git"

    answer = await fetch(daemon, repo, stdin=b"early")

    assert failure_of(answer) == (StatusCode.NOT_FOUND, "repository not found")


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("x", 'cannot convert invalid config key: "x"'),
        ("nodot=1", 'start cmd: invalid configuration key "nodot"'),
    ],
)
async def test_a_bad_option_is_refused_with_exit_status_0(
    daemon: Daemon, repo: Repo, option: str, text: str
) -> None:
    answer = await fetch(daemon, repo, git_config_options=[option])

    code, found = failure_of(answer)
    assert code is StatusCode.INTERNAL
    assert str(found).startswith(f"running upload-pack: {text}")
    assert answer.exit_statuses == [0]


async def test_a_request_that_stays_open_does_not_hold_up_the_end(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    answer = await answered(begin(daemon.channel, METHOD, repo, [wants(oid)], rest=never()))

    assert answer.error is None
    assert b"PACK" in answer.stdout


async def test_git_may_fail_before_the_client_ends(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    answer = await answered(begin(daemon.channel, METHOD, repo, [b"no pkt-line"], rest=never()))

    assert failure_of(answer)[0] is StatusCode.INTERNAL
    assert answer.exit_statuses == [128]


@pytest.mark.parametrize("complete", [False, True], ids=["negotiating", "receiving"])
async def test_a_client_that_hangs_up_leaves_no_git_behind(
    daemon: Daemon, repo: Repo, complete: bool
) -> None:
    oid = noisy(repo, 8_000_000)
    pieces = [wants(oid)] if complete else [b"0032want "]
    call = begin(daemon.channel, METHOD, repo, pieces, rest=never())
    await call.read()
    await eventually(lambda: bool(git_processes(daemon, repo)))

    call.cancel()

    await eventually(lambda: not git_processes(daemon, repo))
    with pytest.raises(asyncio.CancelledError):
        await call.read()
