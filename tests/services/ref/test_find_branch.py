"""RefService/FindBranch (ref-blob.md 5.8)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import FindBranchRequest, FindBranchResponse
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.references import write
from tests.support.repositories import Repo
from tests.support.status import refused


async def find(daemon: Daemon, repo: Repo, name: str | bytes) -> FindBranchResponse:
    raw = name.encode() if isinstance(name, str) else name
    return await daemon.stub(RefServiceStub).FindBranch(FindBranchRequest(repository=repo.message, name=raw))


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize("name", ["branch", "heads/branch", "refs/heads/branch", b"\xff", "-x"])
async def test_a_branch_is_found_by_its_literal_name(
    daemon: Daemon, any_format_repo: Repo, name: str | bytes, packed: bool
) -> None:
    raw = name.encode() if isinstance(name, str) else name
    for other in (b"branch", b"heads/branch", b"refs/heads/branch"):
        any_format_repo.commit(b"of " + other, ref=b"refs/heads/" + other)
    oid = any_format_repo.commit(b"of " + raw + b"\n", ref=b"refs/heads/" + raw)
    if packed:
        any_format_repo.git("pack-refs", "--all")

    branch = (await find(daemon, any_format_repo, name)).branch

    assert (branch.name, branch.target_commit.id) == (raw, oid)
    assert branch.target_commit.subject == b"of " + raw


async def test_a_symbolic_branch_has_its_targets_commit(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")
    repo.symref("refs/heads/alias", "refs/heads/main")

    assert (await find(daemon, repo, "alias")).branch.target_commit.id == oid


async def test_identities_are_mapped(daemon: Daemon, any_format_repo: Repo) -> None:
    mailmap = {".mailmap": b"New Name <new@example.com> <author@example.com>\n"}
    any_format_repo.commit(files=mailmap, ref="refs/heads/main")

    commit = (await find(daemon, any_format_repo, "main")).branch.target_commit

    assert (commit.author.name, commit.committer.email) == (b"New Name", b"new@example.com")


@pytest.mark.parametrize(
    "name", ["absent", "main/below", "ma", "v1", "x*", "a" * 300, "a/" * 3000 + "a", "a" * 100_000]
)
async def test_an_unknown_branch_is_no_error(daemon: Daemon, any_format_repo: Repo, name: str) -> None:
    oid = any_format_repo.commit(ref="refs/heads/main")
    any_format_repo.ref("refs/tags/v1", oid)

    assert await find(daemon, any_format_repo, name) == FindBranchResponse()


@pytest.mark.parametrize("name", ["b*", "branch?", "dir", "dir/"])
async def test_a_name_that_matches_other_branches_is_refused(
    daemon: Daemon, any_format_repo: Repo, name: str
) -> None:
    oid = any_format_repo.commit()
    for branch in ("branch1", "branch2", "dir/a", "dir/b"):
        any_format_repo.ref(f"refs/heads/{branch}", oid)
    first = "refs/heads/dir/a" if name.startswith("dir") else "refs/heads/branch1"
    text = f'target reference is ambiguous: reference is ambiguous: conflicts with "{first}"'

    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await find(daemon, any_format_repo, name)


async def test_an_empty_name_is_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "Branch name cannot be empty"):
        await find(daemon, repo, "")


async def test_a_name_with_a_nul_byte_fails(daemon: Daemon, repo: Repo) -> None:
    text = 'detected null byte in command argument "refs/heads/a\\x00b"'

    async with refused(StatusCode.INTERNAL, text):
        await find(daemon, repo, "a\0b")


async def test_a_branch_whose_commit_is_missing_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    write(any_format_repo, "refs/heads/broken", "1" * any_format_repo.format.hex_length + "\n")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await find(daemon, any_format_repo, "broken")


async def test_a_branch_of_zeros_is_none(daemon: Daemon, any_format_repo: Repo) -> None:
    write(any_format_repo, "refs/heads/zeros", any_format_repo.format.zero_oid + "\n")

    assert not any_format_repo.git("for-each-ref")
    assert await find(daemon, any_format_repo, "zeros") == FindBranchResponse()
