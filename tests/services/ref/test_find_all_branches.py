"""RefService/FindAllBranches (ref-blob.md 5.3)."""

from __future__ import annotations

from typing import Any

from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import FindAllBranchesRequest, FindAllBranchesResponse
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.references import Listed, for_each_ref, varied, write
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Branch = FindAllBranchesResponse.Branch


async def branches(daemon: Daemon, repo: Repo, **fields: Any) -> list[Branch]:
    request = FindAllBranchesRequest(repository=repo.message, **fields)
    messages = await collect(daemon.stub(RefServiceStub).FindAllBranches(request))
    assert all(message.branches for message in messages)
    return [branch for message in messages for branch in message.branches]


async def listed(daemon: Daemon, repo: Repo, **fields: Any) -> list[Listed]:
    return [Listed(branch.name, branch.target.id) for branch in await branches(daemon, repo, **fields)]


def merged(repo: Repo) -> list[str]:
    """Branches of three commits in a row and of one beside them; `main` is at the second."""
    commits = repo.history(3)
    aside = repo.commit("aside\n", {}, commits[:1])
    for name, oid in {
        "heads/main": commits[1],
        "heads/old": commits[0],
        "heads/new": commits[2],
        "heads/aside": aside,
        "heads/dir/old": commits[0],
        "remotes/origin/main": commits[1],
        "remotes/origin/aside": aside,
        "keep-around/x": commits[0],
        "tags/v1": commits[0],
    }.items():
        repo.ref(f"refs/{name}", oid)
    repo.ref("refs/remotes/origin/tagged", repo.tag("v2", commits[0]))
    return commits


async def test_local_and_remote_branches_are_listed_with_their_commits(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = varied(any_format_repo)

    found = await branches(daemon, repo)

    expected = for_each_ref(repo, "refs/heads", "refs/remotes")
    assert [Listed(branch.name, branch.target.id) for branch in found] == expected
    by_name = {branch.name: branch.target for branch in found}
    assert by_name[b"refs/heads/swapped"].author.name == b"An Author"
    assert by_name[b"refs/heads/old"].subject == b"10"


async def test_merged_branches_are_those_git_finds(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    merged(repo)

    for given, patterns in (
        ([], ["refs/heads", "refs/remotes"]),
        ([b"refs/heads/old", b"refs/heads/aside", b"refs/heads/gone"], ["refs/heads/old"]),
        ([b"refs/heads/*"], ["refs/heads/*"]),
        ([b"refs/heads/dir", b"refs/remotes/origin/"], ["refs/heads/dir", "refs/remotes/origin"]),
        ([b"refs/keep-around/x", b"refs/tags/v1"], ["refs/keep-around", "refs/tags/v1"]),
        ([b"old"], ["old"]),
    ):
        found = await listed(daemon, repo, merged_only=True, merged_branches=given)
        expected = for_each_ref(repo, "--merged=refs/heads/main", *patterns)
        assert found == [Listed(each.name, each.peeled or each.target) for each in expected], given


async def test_more_merged_branches_than_a_command_line_holds_are_chosen(daemon: Daemon, repo: Repo) -> None:
    commits = merged(repo)
    absent = [b"refs/heads/absent-%06d" % number for number in range(30_000)]
    given = [
        *absent,
        b"refs/heads/old",
        b"refs/heads/new",
        b"refs/heads/dir",
        b"refs/remotes/*/main",
        b"refs/heads/main/",
    ]

    found = await listed(daemon, repo, merged_only=True, merged_branches=given)

    assert found == [
        Listed(b"refs/heads/dir/old", commits[0]),
        Listed(b"refs/heads/old", commits[0]),
        Listed(b"refs/remotes/origin/main", commits[1]),
    ]


async def test_a_list_without_merged_only_is_ignored(daemon: Daemon, any_format_repo: Repo) -> None:
    merged(any_format_repo)

    found = await listed(daemon, any_format_repo, merged_branches=[b"refs/heads/old"])

    assert len(found) == 8


async def test_the_default_branch_is_what_counts(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commits = repo.history(2)
    repo.ref("refs/heads/master", commits[0])
    repo.ref("refs/heads/young", commits[1])
    assert await listed(daemon, repo, merged_only=True) == [Listed(b"refs/heads/master", commits[0])]

    repo.symref("HEAD", "refs/heads/young")
    assert len(await listed(daemon, repo, merged_only=True)) == 2


async def test_identities_are_mapped(daemon: Daemon, any_format_repo: Repo) -> None:
    any_format_repo.commit("m\n", {".mailmap": b"New <author@example.com>\n"}, ref="refs/heads/main")

    for merged_only in (False, True):
        [branch] = await branches(daemon, any_format_repo, merged_only=merged_only)
        assert branch.target.author.name == b"New"


async def test_an_empty_repository(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await branches(daemon, any_format_repo) == []
    async with refused(StatusCode.INTERNAL, "finding refs: listing failed with exit code 128"):
        await branches(daemon, any_format_repo, merged_only=True)


async def test_a_detached_head_is_an_error_where_it_matters(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit(ref="refs/heads/main")
    write(any_format_repo, "HEAD", oid + "\n")

    assert await listed(daemon, any_format_repo) == [Listed(b"refs/heads/main", oid)]
    async with refused(StatusCode.INTERNAL, "get default branch: exit status 128"):
        await branches(daemon, any_format_repo, merged_only=True)


async def test_what_leads_to_no_commit_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.commit(ref="refs/heads/main")
    repo.ref("refs/remotes/origin/blob", repo.blob(b"x"))
    async with refused(StatusCode.INTERNAL, "object not found"):
        await branches(daemon, repo)

    repo.git("update-ref", "-d", "refs/remotes/origin/blob")
    write(repo, "refs/heads/broken", "1" * repo.format.hex_length + "\n")
    async with refused(StatusCode.INTERNAL, "object not found"):
        await branches(daemon, repo)


async def test_what_is_packed_and_leads_to_no_commit_is_an_error(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    for oid in (repo.blob(b"x"), "1" * repo.format.hex_length):
        write(repo, "packed-refs", f"# pack-refs with: peeled fully-peeled sorted \n{oid} refs/remotes/o/x\n")
        async with refused(StatusCode.INTERNAL, "object not found"):
            await branches(daemon, repo)


async def test_patterns_that_can_be_no_argument_fail(daemon: Daemon, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")
    text = "positional arg \"-x\" cannot start with dash '-': invalid argument"
    async with refused(StatusCode.INTERNAL, text):
        await branches(daemon, repo, merged_only=True, merged_branches=[b"refs/heads/main", b"-x"])
    async with refused(StatusCode.INTERNAL, 'detected null byte in command argument "a\\x00b"'):
        await branches(daemon, repo, merged_only=True, merged_branches=[b"a\0b"])


async def test_many_branches_come_in_several_messages(daemon: Daemon, repo: Repo) -> None:
    oids = [repo.commit(b"%d" % number + b"x" * 10_000) for number in range(20)]
    lines = [f"{oids[number % 20]} refs/heads/{number:04}\n" for number in range(600)]
    write(repo, "packed-refs", "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines))

    request = FindAllBranchesRequest(repository=repo.message)
    messages = await collect(daemon.stub(RefServiceStub).FindAllBranches(request))

    found = [branch for message in messages for branch in message.branches]
    assert [branch.name for branch in found] == [b"refs/heads/%04d" % number for number in range(600)]
    assert [branch.target.id for branch in found] == [oids[number % 20] for number in range(600)]
    assert len(messages) > 2
    assert all(message.ByteSize() <= 1_100_000 for message in messages)
