"""RefService/FindAllRemoteBranches (ref-blob.md 5.6)."""

from __future__ import annotations

from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import FindAllRemoteBranchesRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import Branch
from tests.support.daemon import Daemon
from tests.support.references import Listed, for_each_ref, write
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def branches(daemon: Daemon, repo: Repo, remote: str) -> list[Branch]:
    request = FindAllRemoteBranchesRequest(repository=repo.message, remote_name=remote)
    messages = await collect(daemon.stub(RefServiceStub).FindAllRemoteBranches(request))
    assert all(message.branches for message in messages)
    return [branch for message in messages for branch in message.branches]


def remotes(repo: Repo) -> Repo:
    old, new = repo.history(2)
    for name in ("origin/main", "origin/dir/b", "origin/a", "origin2/main", "or/igin/x", "a/main", "ab/main"):
        repo.ref(f"refs/remotes/{name}", old)
    repo.git("pack-refs", "--all")
    repo.ref("refs/remotes/origin/main", new)
    repo.ref("refs/remotes/origin/tagged", repo.tag("v1", old))
    repo.ref("refs/heads/origin/main", new)
    repo.symref("refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    repo.symref("refs/remotes/origin/dangling", "refs/remotes/origin/gone")
    return repo


async def test_the_branches_of_one_remote_are_listed(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = remotes(any_format_repo)

    for remote in ("origin", "origin/", "origin2", "or", "or/igin", "origin/dir", "a", "o*/*", "gone", "ori"):
        found = [Listed(each.name, each.target_commit.id) for each in await branches(daemon, repo, remote)]
        expected = for_each_ref(repo, f"refs/remotes/{remote}")
        assert found == [Listed(each.name, each.peeled or each.target) for each in expected], remote


async def test_branches_have_full_names_and_whole_mapped_commits(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    oid = repo.commit("map\n", {".mailmap": b"New <author@example.com>\n"}, ref="refs/heads/main")
    repo.ref("refs/remotes/origin/main", oid)

    [branch] = await branches(daemon, repo, "origin")

    assert (branch.name, branch.target_commit.subject) == (b"refs/remotes/origin/main", b"map")
    assert (branch.target_commit.author.name, branch.target_commit.committer.name) == (b"New", b"New")


async def test_a_branch_whose_commit_is_missing_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.ref("refs/remotes/origin/main", repo.commit())
    write(repo, "refs/remotes/origin/broken", "1" * repo.format.hex_length + "\n")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await branches(daemon, repo, "origin")


async def test_bad_names_are_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "empty RemoteName"):
        await branches(daemon, repo, "")
    text = 'detected null byte in command argument "refs/remotes/a\\x00b"'
    async with refused(StatusCode.INTERNAL, text):
        await branches(daemon, repo, "a\0b")
