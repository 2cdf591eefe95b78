from __future__ import annotations

import pytest

from gitaly_py.git.reading.branches import default_branch, first_reference, has_local_branches
from gitaly_py.git.reading.errors import HeadDetached
from gitaly_py.git.reading.interface import Reader
from tests.support.repositories import Repo


@pytest.fixture
def oid(repo: Repo) -> str:
    return repo.commit()


async def test_the_default_branch_is_heads_if_it_exists(reader: Reader, repo: Repo, oid: str) -> None:
    assert await default_branch(reader) is None
    repo.ref("refs/heads/banana", oid)
    repo.ref("refs/tags/apple", oid)
    assert await default_branch(reader) == b"refs/heads/banana"
    repo.ref("refs/heads/master", oid)
    assert await default_branch(reader) == b"refs/heads/master"
    repo.ref("refs/heads/main", oid)
    assert await default_branch(reader) == b"refs/heads/main"
    repo.symref("HEAD", "refs/heads/zebra")
    assert await default_branch(reader) == b"refs/heads/main"
    repo.ref("refs/heads/zebra", oid)
    assert await default_branch(reader) == b"refs/heads/zebra"


async def test_a_detached_head_has_no_default_branch(reader: Reader, repo: Repo, oid: str) -> None:
    repo.ref("refs/heads/main", oid)
    repo.git("update-ref", "--no-deref", "HEAD", oid)

    with pytest.raises(HeadDetached, match="exit status 128"):
        await default_branch(reader)


async def test_only_branches_count_as_local_branches(reader: Reader, repo: Repo, oid: str) -> None:
    repo.ref("refs/tags/v1", oid)
    repo.ref("refs/remotes/o/main", oid)
    assert not await has_local_branches(reader)

    repo.ref("refs/heads/x", oid)
    repo.git("pack-refs", "--all")
    assert await has_local_branches(reader)


async def test_the_first_reference_below_a_prefix(reader: Reader, repo: Repo, oid: str) -> None:
    for name in ("refs/heads/foo/b", "refs/heads/foo/a"):
        repo.ref(name, oid)

    assert (await first_reference(reader, b"refs/heads/foo/")).name == b"refs/heads/foo/a"
    assert await first_reference(reader, b"refs/heads/bar/") is None
