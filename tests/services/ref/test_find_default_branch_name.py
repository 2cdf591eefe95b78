"""RefService/FindDefaultBranchName (ref-blob.md 5.1)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import FindDefaultBranchNameRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.references import write
from tests.support.repositories import Repo
from tests.support.status import refused


async def default_branch(daemon: Daemon, repo: Repo, *, head_only: bool = False) -> bytes:
    request = FindDefaultBranchNameRequest(repository=repo.message, head_only=head_only)
    response = await daemon.stub(RefServiceStub).FindDefaultBranchName(request)
    return response.name


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize(
    ("branches", "head", "expected"),
    [
        pytest.param(["main", "master", "trunk"], "trunk", "trunk", id="HEAD"),
        pytest.param(["banana", "main", "master"], "absent", "main", id="main"),
        pytest.param(["banana", "master"], "absent", "master", id="master"),
        pytest.param(["cherry", "banana"], "main", "banana", id="first branch"),
    ],
)
async def test_the_first_candidate_that_exists_is_the_default(
    daemon: Daemon, any_format_repo: Repo, branches: list[str], head: str, expected: str, packed: bool
) -> None:
    repo = any_format_repo
    oid = repo.commit()
    for branch in branches:
        repo.ref(f"refs/heads/{branch}", oid)
    repo.symref("HEAD", f"refs/heads/{head}")
    if packed:
        repo.git("pack-refs", "--all")

    assert await default_branch(daemon, repo) == f"refs/heads/{expected}".encode()


async def test_a_repository_without_branches_has_no_default(daemon: Daemon, any_format_repo: Repo) -> None:
    any_format_repo.commit(ref="refs/tags/v1")

    assert await default_branch(daemon, any_format_repo) == b""


async def test_the_branches_object_need_not_exist(daemon: Daemon, any_format_repo: Repo) -> None:
    write(any_format_repo, "refs/heads/main", "1" * any_format_repo.format.hex_length + "\n")

    assert await default_branch(daemon, any_format_repo) == b"refs/heads/main"


async def test_a_new_default_branch_shows_at_once(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")
    repo.ref("refs/heads/next", oid)
    assert await default_branch(daemon, repo) == b"refs/heads/main"

    repo.symref("HEAD", "refs/heads/next")

    assert await default_branch(daemon, repo) == b"refs/heads/next"


async def test_a_name_that_is_not_utf8_is_given_as_it_is(daemon: Daemon, repo: Repo) -> None:
    repo.commit(ref=b"refs/heads/\xff")

    assert await default_branch(daemon, repo) == b"refs/heads/\xff"


@pytest.mark.parametrize("target", ["refs/heads/main", "refs/heads/absent"])
async def test_head_only_gives_what_head_stands_for(daemon: Daemon, repo: Repo, target: str) -> None:
    repo.commit(ref="refs/heads/main")
    repo.symref("HEAD", target)

    assert await default_branch(daemon, repo, head_only=True) == target.encode()


async def test_head_only_follows_symbolic_references(daemon: Daemon, repo: Repo) -> None:
    repo.symref("refs/heads/alias", "refs/heads/main")
    repo.symref("HEAD", "refs/heads/alias")

    assert await default_branch(daemon, repo, head_only=True) == b"refs/heads/main"


@pytest.mark.parametrize(
    ("head_only", "text"),
    [
        pytest.param(True, "head reference: exit status 128", id="head only"),
        pytest.param(False, "get default branch: exit status 128", id="any"),
    ],
)
@pytest.mark.parametrize("head", ["detached", "garbage"])
async def test_a_head_that_names_no_branch_is_an_error(
    daemon: Daemon, any_format_repo: Repo, head: str, head_only: bool, text: str
) -> None:
    oid = any_format_repo.commit(ref="refs/heads/main")
    write(any_format_repo, "HEAD", f"{oid if head == 'detached' else 'nothing'}\n")

    async with refused(StatusCode.INTERNAL, text):
        await default_branch(daemon, any_format_repo, head_only=head_only)
