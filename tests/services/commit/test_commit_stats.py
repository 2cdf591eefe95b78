"""CommitService/CommitStats (commit.md 3.2); `git diff --numstat` is the oracle."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CommitStatsRequest, CommitStatsResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import refused

LINES = b"".join(b"line %d\n" % number for number in range(20))


async def stats(daemon: Daemon, repo: Repo, revision: str | bytes) -> CommitStatsResponse:
    name = revision.encode() if isinstance(revision, str) else revision
    request = CommitStatsRequest(repository=repo.message, revision=name)
    return await daemon.stub(CommitServiceStub).CommitStats(request)


async def counted(daemon: Daemon, repo: Repo, revision: str) -> tuple[int, int, int]:
    found = await stats(daemon, repo, revision)
    assert found.oid == repo.git("rev-parse", revision + "^{commit}")
    return found.files, found.additions, found.deletions


def by_git(repo: Repo, before: str, after: str) -> tuple[int, int, int]:
    rows = [line.split("\t") for line in repo.git("diff", "--numstat", before, after).splitlines()]
    text = [(int(added), int(deleted)) for added, deleted, _ in rows if added != "-"]
    return len(rows), sum(added for added, _ in text), sum(deleted for _, deleted in text)


async def test_lines_and_files_are_counted(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    submodule = ("160000", "1" * repo.format.hex_length)
    root = repo.commit(
        "root\n", {"a": LINES, 'odd\t"\n': b"1\n", "bin": b"\0", "sub": submodule, "old": LINES * 2}
    )
    moved = ("160000", "2" * repo.format.hex_length)
    changed = repo.commit(
        "changed\n",
        {
            "a": LINES[:-8] + b"new\n",
            'odd\t"\n': b"2\n3\n",
            "bin": b"\0\0",
            "sub": moved,
            "new name": LINES * 2,
            "empty": b"",
        },
        [root],
        ref="refs/heads/main",
    )

    assert await counted(daemon, repo, root) == by_git(repo, repo.format.empty_tree, root)
    assert await counted(daemon, repo, changed) == by_git(repo, root, changed) == (6, 4, 3)


async def test_a_merge_is_compared_with_its_first_parent(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    root = repo.commit("root\n", {"a": b"1\n"})
    left = repo.commit("left\n", {"a": b"1\n", "l": b"1\n2\n"}, [root])
    right = repo.commit("right\n", {"a": b"1\n", "r": b"1\n"}, [root])
    merge = repo.commit("merge\n", {"a": b"1\n", "l": b"1\n2\n", "r": b"1\n"}, [left, right])
    octopus = repo.commit("octopus\n", {"a": b"2\n"}, [root, left, right], ref="refs/heads/main")
    repo.tag("v1", merge)

    assert await counted(daemon, repo, "v1") == (1, 1, 0)
    assert await counted(daemon, repo, octopus) == (1, 1, 1)
    assert await counted(daemon, repo, "main^0") == (1, 1, 1)


async def test_a_commit_without_changes_and_a_pure_rename_have_no_lines(daemon: Daemon, repo: Repo) -> None:
    root = repo.commit("root\n", {"a": LINES})
    same = repo.commit("same\n", {"a": LINES}, [root])
    renamed = repo.commit("renamed\n", {"b": LINES}, [same])
    executable = repo.commit("mode\n", {"b": ("100755", LINES)}, [renamed])
    nothing = repo.commit("nothing\n", {})

    assert await counted(daemon, repo, same) == (0, 0, 0)
    assert await counted(daemon, repo, renamed) == (1, 0, 0)
    assert await counted(daemon, repo, executable) == (1, 0, 0)
    assert await counted(daemon, repo, nothing) == (0, 0, 0)


async def test_attributes_of_the_default_branch_count(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    old = repo.commit("old\n", {"a.txt": b"1\n", "d/b.txt": b"1\n"}, ref="refs/heads/old")
    rules = {".gitattributes": b"a.* -diff\n", "d/.gitattributes": b"b.* -diff\n"}
    repo.commit(
        "new\n", {**rules, "a.txt": b"2\n", "d/b.txt": b"2\n", "c": b"1\n"}, [old], ref="refs/heads/main"
    )

    assert await counted(daemon, repo, old) == (2, 0, 0)
    assert await counted(daemon, repo, "main") == (5, 3, 0)


@pytest.mark.parametrize("revision", ["nope", "main^{tree}", "main~1", "main..main"])
async def test_what_is_no_commit_is_an_error(daemon: Daemon, any_format_repo: Repo, revision: str) -> None:
    any_format_repo.history(1, ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await stats(daemon, any_format_repo, revision)


async def test_a_missing_parent_is_an_error(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("orphan\n", {"a": b""}, ["f" * 40], tree=repo.tree({}))

    async with refused(StatusCode.INTERNAL, "exit status 128"):
        await stats(daemon, repo, oid)


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (b"", "empty revision"),
        (b"-main", "revision can't start with '-'"),
        (b"a:b", "revision can't contain ':'"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revision: bytes, text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await stats(daemon, repo, revision)
