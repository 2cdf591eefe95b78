"""CalculateChecksum (repository.md)."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.pb.repository_pb2 import CalculateChecksumRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.rpc.status import Internal
from gitaly_py.services.repository.checksum import hexadecimal, line_sum
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.status import refused

NOTHING = "0" * 40
MASTER = b"f21f76b804422462e79f9f99d5b14856e130ed71 refs/heads/master"
FEATURE = b"860de2dde3d6673d4a494d3c2ceeae9786a556ba refs/heads/feature"
SAME_AS_MASTER = b"f21f76b804422462e79f9f99d5b14856e130ed71 refs/heads/feature"


async def checksum(stub: RepositoryServiceStub, repo: Repo) -> str:
    return (await stub.CalculateChecksum(CalculateChecksumRequest(repository=repo.message))).checksum


def expected(repo: Repo, pattern: str) -> str:
    """The sum over the lines of `git show-ref --head` that match."""
    total = 0
    for line in repo.git("show-ref", "--head").splitlines():
        if re.search(pattern, line):
            total ^= int(hashlib.sha1(line.encode()).hexdigest(), 16)
    digits = f"{total:040x}"
    while digits.startswith("00"):
        digits = digits[2:]
    return digits


@pytest.mark.parametrize(
    ("lines", "result"),
    [
        pytest.param([MASTER], "bba299616da21e268890f1691c3f6ea788c6cdc9", id="one line"),
        pytest.param([MASTER, FEATURE], "56ca38be577db6bdda47a840d1061ad47abc3619", id="two lines"),
        pytest.param([MASTER, SAME_AS_MASTER], "f5c4203236292be5f212710c0b042051ba3e14cf", id="same id"),
    ],
)
def test_the_sum_of_known_lines(lines: list[bytes], result: str) -> None:
    assert hexadecimal(line_sum(lines)) == result


def test_equal_lines_cancel_out() -> None:
    assert line_sum([MASTER, FEATURE, MASTER]) == line_sum([FEATURE])


@given(st.binary(max_size=20).map(lambda value: value.lstrip(b"\0")))
def test_leading_zero_bytes_are_dropped(value: bytes) -> None:
    assert hexadecimal(int.from_bytes(value, "big")) == value.hex()


def test_a_line_of_64_kib_is_refused() -> None:
    line = MASTER.ljust(64 * 1024 - 1, b"x")
    assert line_sum([line]) != 0
    with pytest.raises(Internal, match="too long"):
        line_sum([line + b"x"])


async def test_the_sum_covers_head_and_the_namespaces_that_count(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    oid = any_format_repo.commit(ref="refs/heads/main")
    any_format_repo.tag("v1", oid)
    namespaces = [
        "heads",
        "keep-around",
        "merge-requests",
        "environments",
        "notes",
        "pipelines",
        "remotes/origin",
    ]
    for number, namespace in enumerate(namespaces):
        any_format_repo.ref(f"refs/{namespace}/{number}", any_format_repo.commit(f"{number}\n"))

    counted = r" HEAD$|refs/(heads|tags|keep-around|merge-requests|environments|notes)/"
    assert await checksum(repositories, any_format_repo) == expected(any_format_repo, counted)


async def test_a_remote_head_counts(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.commit(ref="refs/remotes/origin/HEAD")

    assert await checksum(repositories, repo) == expected(repo, "refs/remotes/origin/HEAD")


async def test_a_repository_with_only_other_references_has_no_sum(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(ref="refs/pipelines/1")

    assert await checksum(repositories, repo) == NOTHING


async def test_an_empty_repository_has_no_sum(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await checksum(repositories, any_format_repo) == NOTHING


async def test_packed_references_count_like_loose_ones(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.history(3, "refs/heads/main")
    before = await checksum(repositories, repo)
    repo.git("pack-refs", "--all")

    assert await checksum(repositories, repo) == before != NOTHING


async def test_a_reference_to_a_missing_object_discards_the_sum(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(ref="refs/heads/main")
    Path(repo.path, "refs/heads/zeal").write_text("1" * 40 + "\n")

    assert await checksum(repositories, repo) == NOTHING


async def test_a_corrupt_packed_refs_file_discards_the_sum(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(ref="refs/heads/main")
    Path(repo.path, "packed-refs").write_text("invalid ref\n")

    assert await checksum(repositories, repo) == NOTHING


async def test_a_repository_that_git_does_not_take_for_one_is_lost(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    Path(repo.path, "HEAD").write_text("")

    async with refused(StatusCode.DATA_LOSS, f"not a git repository '{repo.path}'"):
        await checksum(repositories, repo)


async def test_a_repository_with_a_worktree_is_lost(
    repositories: RepositoryServiceStub, new_repo: NewRepo
) -> None:
    repo = new_repo()
    repo.git("config", "core.bare", "false")

    async with refused(StatusCode.DATA_LOSS, f"not a git repository '{repo.path}'"):
        await checksum(repositories, repo)


async def test_a_repository_that_is_no_directory_of_git_is_refused(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    shutil.rmtree(Path(repo.path, "objects"))

    async with refused(StatusCode.FAILED_PRECONDITION, 'repository not valid: "objects" does not exist'):
        await checksum(repositories, repo)
