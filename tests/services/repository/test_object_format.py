"""ObjectFormat (repository.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import ObjectFormatRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import OBJECT_FORMAT_SHA1, OBJECT_FORMAT_SHA256
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.status import refused


async def format_of(stub: RepositoryServiceStub, repo: Repo) -> int:
    return (await stub.ObjectFormat(ObjectFormatRequest(repository=repo.message))).format


@pytest.mark.parametrize(("name", "number"), [("sha1", OBJECT_FORMAT_SHA1), ("sha256", OBJECT_FORMAT_SHA256)])
async def test_the_format_is_that_of_the_configuration(
    repositories: RepositoryServiceStub, new_repo: NewRepo, name: str, number: int
) -> None:
    assert await format_of(repositories, new_repo(object_format=name)) == number


async def test_the_first_mention_decides_in_whatever_case_and_section(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    Path(repo.path, "config").write_text("[x]\n  objectFORMAT = sha256\n[extensions]\nobjectformat = sha1\n")

    assert await format_of(repositories, repo) == OBJECT_FORMAT_SHA256


@pytest.mark.parametrize("value", ["blake2b", "sha256 ", "sha256 # x", ""])
async def test_an_unknown_format_is_refused(
    repositories: RepositoryServiceStub, repo: Repo, value: str
) -> None:
    Path(repo.path, "config").write_text(f"[extensions]\n\tobjectformat = {value}\n")

    async with refused(StatusCode.INTERNAL, f'detecting object hash: unknown object format: "{value}"'):
        await format_of(repositories, repo)


async def test_a_missing_configuration_is_refused(repositories: RepositoryServiceStub, repo: Repo) -> None:
    config = Path(repo.path, "config")
    config.unlink()

    text = f"detecting object hash: open: open {config}: no such file or directory"
    async with refused(StatusCode.INTERNAL, text):
        await format_of(repositories, repo)
