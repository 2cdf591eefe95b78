"""RepositorySize (repository.md)."""

from __future__ import annotations

import os
from pathlib import Path

from gitaly_py.pb.repository_pb2 import RepositorySizeRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo


async def size(stub: RepositoryServiceStub, repo: Repo) -> int:
    return (await stub.RepositorySize(RepositorySizeRequest(repository=repo.message))).size


async def test_an_empty_repository_has_no_size(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await size(repositories, any_format_repo) == 0


async def test_every_file_counts_in_kib_rounded_down(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.blob(os.urandom(16 * 1024))
    assert await size(repositories, repo) == 16

    Path(repo.path, "stray").write_bytes(bytes(5 * 1024))
    assert await size(repositories, repo) == 21


async def test_a_sparse_file_counts_with_its_apparent_size(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    with Path(repo.path, "sparse").open("wb") as file:
        file.truncate(1024 * 1024)

    assert await size(repositories, repo) == 1024


async def test_a_symbolic_link_is_not_followed(
    repositories: RepositoryServiceStub, repo: Repo, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(bytes(64 * 1024))
    Path(repo.path, "link").symlink_to(tmp_path)
    Path(repo.path, "file-link").symlink_to(tmp_path / "large")

    assert await size(repositories, repo) == 0


async def test_hard_links_count_each_time(repositories: RepositoryServiceStub, repo: Repo) -> None:
    Path(repo.path, "one").write_bytes(bytes(10 * 1024))
    Path(repo.path, "two").hardlink_to(Path(repo.path, "one"))

    assert await size(repositories, repo) == 20


async def test_borrowed_objects_do_not_count(repositories: RepositoryServiceStub, new_repo: NewRepo) -> None:
    pool, member = new_repo(), new_repo()
    pool.blob(os.urandom(16 * 1024))
    Path(member.path, "objects/info/alternates").write_text(pool.path + "/objects\n")

    assert await size(repositories, member) == 0
