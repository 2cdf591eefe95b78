"""GetInfoAttributes (repository.md)."""

from __future__ import annotations

import os
from pathlib import Path

from gitaly_py.pb.repository_pb2 import GetInfoAttributesRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.repositories import Entry, Repo
from tests.support.status import collect


async def pieces(stub: RepositoryServiceStub, repo: Repo) -> list[bytes]:
    request = GetInfoAttributesRequest(repository=repo.message)
    return [message.attributes for message in await collect(stub.GetInfoAttributes(request))]


def commit(repo: Repo, attributes: Entry) -> None:
    repo.commit(files={".gitattributes": attributes, "file": b"x"}, ref="refs/heads/main")


async def test_the_file_of_the_default_branch_is_sent(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    info = Path(any_format_repo.path, "info")
    info.mkdir(exist_ok=True)
    (info / "attributes").write_bytes(b"* unused\n")
    commit(any_format_repo, b"*.rb diff=ruby\n\xff\r\n")
    any_format_repo.commit(files={".gitattributes": b"other"}, ref="refs/heads/other")

    assert await pieces(repositories, any_format_repo) == [b"*.rb diff=ruby\n\xff\r\n"]


async def test_without_a_file_there_is_one_empty_message(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await pieces(repositories, any_format_repo) == [b""]

    any_format_repo.commit(files={"a/.gitattributes": b"* text\n"}, ref="refs/heads/main")
    assert await pieces(repositories, any_format_repo) == [b""]

    commit(any_format_repo, b"")
    assert await pieces(repositories, any_format_repo) == [b""]

    any_format_repo.symref("HEAD", "refs/heads/unborn")
    assert await pieces(repositories, any_format_repo) == [b""]


async def test_a_long_file_comes_in_pieces(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    content = os.urandom(700_000)
    commit(any_format_repo, content)

    found = await pieces(repositories, any_format_repo)

    assert b"".join(found) == content
    assert max(map(len, found)) <= 128 * 1024


async def test_what_is_no_file_is_printed(repositories: RepositoryServiceStub, any_format_repo: Repo) -> None:
    repo = any_format_repo
    tree = repo.tree({b"caf\xe9": b"x", "b/c": b""})
    repo.commit(tree=repo.raw_tree([("40000", b".gitattributes", tree)]), ref="refs/heads/main")

    assert await pieces(repositories, repo) == [repo.git_bytes("cat-file", "-p", "HEAD:.gitattributes")]

    commit(repo, ("120000", b"elsewhere"))
    assert await pieces(repositories, repo) == [b"elsewhere"]

    commit(repo, ("160000", "1" * repo.format.hex_length))
    assert await pieces(repositories, repo) == [b""]


async def test_a_file_that_cannot_be_read_is_one_empty_message(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    commit(repo, b"* broken\n" + repo.path.encode())
    oid = repo.git("rev-parse", "HEAD:.gitattributes")
    path = Path(repo.path, "objects", oid[:2], oid[2:])
    path.write_bytes(path.read_bytes()[:-8])

    assert await pieces(repositories, repo) == [b""]

    path.unlink()
    assert await pieces(repositories, repo) == [b""]
