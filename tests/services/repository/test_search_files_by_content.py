"""SearchFilesByContent (repository.md)."""

from __future__ import annotations

import subprocess

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import SearchFilesByContentRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import ENVIRONMENT, Entry, Repo
from tests.support.status import collect, refused

Matches = list[bytes]

FILES: dict[str | bytes, Entry] = {
    "README": b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nneedle\n",
    "touching": b"needle\n1\n2\n3\n4\nNeedle\n5\n",
    "apart": b"needle\n1\n2\n3\n4\n5\nNEEDLE\n",
    "without newline": b"needle",
    "dashes": b"--\nneedle\n--\n",
    b"caf\xe9\n": b"needle \xff\xfe\r\n",
    "a/b:c/deep": b"x needle y\n",
    "binary": b"\0needle\n",
    "long line": b"x" * 200_000 + b"needle" + b"y" * 200_000 + b"\n",
    "link": ("120000", b"needle"),
    "-dashed": b"-needle\n",
    "empty": b"",
}


async def messages(
    stub: RepositoryServiceStub, repo: Repo, query: str, ref: str | bytes = "main"
) -> list[tuple[bytes, bool]]:
    name = ref.encode() if isinstance(ref, str) else ref
    request = SearchFilesByContentRequest(repository=repo.message, query=query, ref=name)
    stream = stub.SearchFilesByContent(request)
    return [(message.match_data, message.end_of_match) for message in await collect(stream)]


async def search(stub: RepositoryServiceStub, repo: Repo, query: str, ref: str | bytes = "main") -> Matches:
    """The matches, put together as clients do."""
    matches: Matches = []
    pending = b""
    for data, end in await messages(stub, repo, query, ref):
        assert bool(data) != end
        assert len(data) <= 128 * 1024
        pending += data
        if end:
            matches.append(pending)
            pending = b""
    assert pending == b""
    return matches


def by_git(repo: Repo, query: str, ref: str = "main") -> Matches:
    options = ["-i", "-I", "-n", "-z", "-B2", "-A2", "-P", "-e", query, ref]
    line = ["git", "--git-dir", repo.path, "grep", *options]
    output = subprocess.run(line, capture_output=True, check=False, env=ENVIRONMENT).stdout
    return [match.removesuffix(b"\n") + b"\n" for match in output.split(b"\n--\n")] if output else []


@pytest.fixture
def searched(any_format_repo: Repo) -> Repo:
    any_format_repo.commit(files=FILES, ref="refs/heads/main")
    return any_format_repo


async def test_matches_are_those_of_git(repositories: RepositoryServiceStub, searched: Repo) -> None:
    for query in ("needle", "^x+needle", "-needle", "needle$", "(*LIMIT_MATCH=1)a", "(?-i)Needle", "\\xff"):
        assert await search(repositories, searched, query) == by_git(searched, query), query


async def test_a_match_is_lines_with_reference_path_and_number(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(files={"a/file": b"1\n2\n3\nNEEDLE\n5\n6\n7\n", "b": b"needle"}, ref="refs/heads/main")

    assert await messages(repositories, repo, "needle", "refs/heads/main") == [
        (
            b"".join(
                b"refs/heads/main:a/file\0%d\0%s\n" % (number, text)
                for number, text in enumerate((b"2", b"3", b"NEEDLE", b"5", b"6"), 2)
            ),
            False,
        ),
        (b"", True),
        (b"refs/heads/main:b\x001\0needle\n", False),
        (b"", True),
    ]


async def test_what_touches_is_one_match(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.commit(files={name: FILES[name] for name in ("touching", "apart", "dashes")}, ref="refs/heads/main")

    apart, other, dashes, touching = await search(repositories, repo, "needle")

    assert apart.count(b"\n") == other.count(b"\n") == 3
    assert touching.count(b"\n") == 7
    assert dashes == b"main:dashes\x001\0--\nmain:dashes\x002\0needle\nmain:dashes\x003\0--\n"


async def test_only_the_revision_named_is_searched(repositories: RepositoryServiceStub, repo: Repo) -> None:
    old = repo.commit(files={"file": b"old needle\n"})
    repo.commit(files={"file": b"new\n"}, parents=[old], ref="refs/heads/main")

    assert await search(repositories, repo, "needle") == []
    assert await search(repositories, repo, "needle", old) == [old.encode() + b":file\x001\0old needle\n"]
    assert await search(repositories, repo, "needle", "main~1") == [b"main~1:file\x001\0old needle\n"]


async def test_a_huge_match_comes_in_pieces(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    repo.commit(files={"huge": b"needle\n" * 210_000, "next": b"needle\n"}, ref="refs/heads/main")

    found = await messages(repositories, repo, "needle")

    expected = b"".join(b"main:huge\0%d\0needle\n" % number for number in range(1, 210_001))
    huge, rest = found[:-3], found[-3:]
    assert b"".join(data for data, _ in huge) == expected
    assert [len(data) for data, _ in huge[:-1]] == [128 * 1024] * (len(huge) - 1)
    assert not any(end for _, end in huge)
    assert rest == [(b"", True), (b"main:next\x001\0needle\n", False), (b"", True)]


async def test_many_small_matches_are_told_apart(repositories: RepositoryServiceStub, repo: Repo) -> None:
    files: dict[str | bytes, Entry] = {f"{number:04}": b"needle\n" for number in range(3000)}
    repo.commit(files=files, ref="refs/heads/main")

    found = await search(repositories, repo, "needle")

    assert found == [b"main:%04d\x001\0needle\n" % number for number in range(3000)]


async def test_what_finds_nothing_is_no_message(repositories: RepositoryServiceStub, searched: Repo) -> None:
    for query, ref in (
        ("absent", "main"),
        ("needle", "unknown"),
        ("needle", "1" * 40),
        ("(unclosed", "main"),
        ("needle", b"\xff"),
    ):
        assert await messages(repositories, searched, query, ref) == []


async def test_an_empty_repository_has_no_matches(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await messages(repositories, any_format_repo, ".", "HEAD") == []


async def test_query_and_reference_are_checked(repositories: RepositoryServiceStub, repo: Repo) -> None:
    for query, ref, text in (
        ("", "", "no query given"),
        ("x", "", "no ref given"),
        ("x", "--open-files-in-pager=x", "invalid ref argument"),
    ):
        async with refused(StatusCode.INVALID_ARGUMENT, text):
            await messages(repositories, repo, query, ref)
    async with refused(StatusCode.INTERNAL, 'detected null byte in command argument "a\\x00b"'):
        await messages(repositories, repo, "a\0b")


async def test_git_ends_when_the_client_hangs_up(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    repo.commit(files={"huge": b"needle\n" * 2_000_000}, ref="refs/heads/main")
    request = SearchFilesByContentRequest(repository=repo.message, query="needle", ref=b"main")

    stream = repositories.SearchFilesByContent(request)
    async for _ in stream:
        break
    stream.cancel()

    where = {"grpc.request.repoPath": repo.message.relative_path}
    entry = await daemon.access_entry("SearchFilesByContent", **where)
    assert entry["grpc.code"] == "Canceled"
    assert not [child for child in daemon.children() if "grep" in child.cmdline()]
