"""Readers of every kind: which objects, which hash, which way to references."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from gitaly_py.git.process import Git
from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.reading.foreachref import GitReferences
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.processes import ProcessReader
from gitaly_py.git.reading.refs import FileReferences
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.settings import GitSettings
from tests.support.repositories import GIT, Repo


class Kind(NamedTuple):
    format: str
    in_process: bool
    files: bool


KINDS = {
    "sha1-libgit2-files": Kind("sha1", in_process=True, files=True),
    "sha1-git-for-each-ref": Kind("sha1", in_process=False, files=False),
    "sha256-git-files": Kind("sha256", in_process=False, files=True),
}

OpenReader = Callable[[GitRepository], Reader]


@pytest_asyncio.fixture
async def git() -> AsyncIterator[Git]:
    git = Git(GitSettings(binary=GIT))
    yield git
    await git.close()


@pytest_asyncio.fixture
async def readers(git: Git) -> AsyncIterator[Readers]:
    readers = Readers(git)
    yield readers
    await readers.close()


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def repo(tmp_path: Path, kind: Kind) -> Repo:
    return Repo.init(tmp_path / "repo.git", kind.format)


@pytest.fixture
def sha1(tmp_path: Path) -> Repo:
    """A repository for what does not depend on the kind of reader."""
    return Repo.init(tmp_path / "repo.git")


@pytest.fixture
def open_reader(kind: Kind, readers: Readers, git: Git) -> OpenReader:
    def open_one(repository: GitRepository) -> Reader:
        opened = readers.open(repository)
        if kind.files:
            return opened
        return ProcessReader(repository, opened.format, GitReferences(git, repository), readers.pool, "test")

    return open_one


@pytest.fixture
def reader(open_reader: OpenReader, repo: Repo) -> Reader:
    return open_reader(repo.repository)


@pytest.fixture
def references(sha1: Repo) -> FileReferences:
    return FileReferences(sha1.path, 40)
