"""ObjectsSize (repository.md)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import ObjectsSizeRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.requests import begin, present, send
from tests.support.status import refused

METHOD = next(method for method in present() if method.name == "ObjectsSize")


def messages(repo: Repo, *revisions: Sequence[str | bytes]) -> list[ObjectsSizeRequest]:
    """A request for each list of revisions; the first names the repository."""
    requests = [
        ObjectsSizeRequest(revisions=[each.encode() if isinstance(each, str) else each for each in some])
        for some in revisions
    ]
    requests[0].repository.CopyFrom(repo.message)
    return requests


async def size(daemon: Daemon, repo: Repo, *revisions: Sequence[str | bytes]) -> int:
    (response,) = await send(daemon.channel, METHOD, messages(repo, *revisions))
    return int(response.size)  # type: ignore[attr-defined]


def size_by_git(repo: Repo, *revisions: str) -> int:
    return int(repo.git("rev-list", "--disk-usage", "--objects", *revisions, "--"))


@pytest.fixture
def branches(any_format_repo: Repo) -> Repo:
    repo = any_format_repo
    root = repo.commit("root\n", {"file": os.urandom(1000)})
    repo.commit("left\n", {"left": os.urandom(2000)}, [root], "refs/heads/left")
    repo.commit("right\n", {"right": os.urandom(4000)}, [root], "refs/heads/right")
    repo.tag("v1", repo.commit("tagged\n", {"tagged": os.urandom(8000)}, [root]))
    return repo


@pytest.mark.parametrize("packed", [False, True])
async def test_the_size_is_that_on_disk(daemon: Daemon, branches: Repo, packed: bool) -> None:
    if packed:
        branches.git("repack", "-adb")
    for revisions in (
        ["left"],
        ["left", "right"],
        ["left", "left", "refs/heads/left~0"],
        ["left", "^right"],
        ["left..right"],
        ["left^{tree}"],
        ["v1"],
        ["--all"],
        ["--branches"],
        ["--tags"],
        ["--glob=refs/heads/l*"],
        ["--branches=r*"],
        ["--all", "--not", "left"],
        ["--not", "--tags", "--not", "left"],
        ["--not", "right", "--branches", "--not", "v1"],
        ["--not", "^left"],
    ):
        assert await size(daemon, branches, revisions) == size_by_git(branches, *revisions), revisions
    assert await size(daemon, branches, ["--all"]) > await size(daemon, branches, ["--branches"]) > 7000


async def test_the_revisions_of_all_messages_count_together(daemon: Daemon, branches: Repo) -> None:
    found = await size(daemon, branches, ["left", "--not"], ["right"], ["--not", "v1"])

    assert found == size_by_git(branches, "left", "--not", "right", "--not", "v1")


async def test_there_may_be_more_revisions_than_fit_on_a_command_line(daemon: Daemon, branches: Repo) -> None:
    left = branches.git("rev-parse", "left")
    many = ["--not", *[left] * 30_000]

    assert await size(daemon, branches, many, many[1:], ["--not", "right"]) == size_by_git(
        branches, "^left", "right"
    )


async def test_a_pool_is_told_from_what_is_the_repositorys_own(daemon: Daemon, new_repo: NewRepo) -> None:
    pool, member = new_repo(), new_repo()
    shared = pool.commit("shared\n", {"file": os.urandom(3000)}, ref="refs/heads/main")
    Path(member.path, "objects/info/alternates").write_text(pool.path + "/objects\n")
    own = member.commit("own\n", {"own": os.urandom(1000)}, [shared], ref="refs/heads/main")

    everything = await size(daemon, member, ["--all"])
    assert await size(daemon, member, ["--alternate-refs"]) == size_by_git(pool, "main")
    unique = await size(daemon, member, ["--all", "--not", "--alternate-refs"])
    assert unique == size_by_git(member, own, f"^{shared}")
    assert unique + await size(daemon, member, ["--alternate-refs"]) == everything


async def test_an_empty_repository_has_no_objects(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await size(daemon, any_format_repo, ["--all"]) == 0


async def test_an_unknown_revision_is_not_found(daemon: Daemon, branches: Repo) -> None:
    for revisions in (["absent"], ["left", "^absent"], ["left..absent"]):
        async with refused(StatusCode.NOT_FOUND, "revision not found"):
            await size(daemon, branches, revisions)


async def test_a_missing_object_makes_git_fail(daemon: Daemon, branches: Repo) -> None:
    oid = "1" * branches.format.hex_length
    line = ["git", "--git-dir", branches.path, "rev-list", "--disk-usage", "--objects", oid, "--"]
    status = subprocess.run(line, capture_output=True, check=False).returncode
    assert status != 0

    async with refused(StatusCode.INTERNAL, f"rev-list failed with error code {status}"):
        await size(daemon, branches, [oid])


async def test_every_message_has_valid_revisions(daemon: Daemon, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")
    for revisions, text in (
        ([[]], "no revisions specified"),
        ([["main"], []], "no revisions specified"),
        ([["main", ""]], "validating revision: empty revision"),
        ([["-x"]], "validating revision: revision can't start with '-'"),
        ([["main"], ["--output=x"]], "validating revision: revision can't start with '-'"),
        ([["a b"]], "validating revision: revision can't contain whitespace"),
        ([["main"], ["a\nb"]], "validating revision: revision can't contain whitespace"),
        ([["main:file"]], "validating revision: revision can't contain ':'"),
        ([["a\\b"]], "validating revision: revision can't contain '\\'"),
        ([["a\0b"]], "validating revision: revision can't contain NUL"),
    ):
        async with refused(StatusCode.INVALID_ARGUMENT, text):
            await size(daemon, repo, *revisions)


async def test_only_the_first_message_names_the_repository(daemon: Daemon, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")
    requests = messages(repo, ["main"], [])
    requests[1].repository.CopyFrom(repo.message)

    text = "subsequent requests must not contain repository"
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await send(daemon.channel, METHOD, requests)


async def test_a_wrong_message_is_refused_while_the_stream_goes_on(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "no revisions specified"):
        await send(daemon.channel, METHOD, messages(repo, []), half_close=False)


async def test_a_stream_without_messages_is_an_error(
    daemon: Daemon, repositories: RepositoryServiceStub
) -> None:
    async with refused(StatusCode.INTERNAL, "receiving initial request: EOF"):
        await begin(daemon.channel, METHOD, [])
