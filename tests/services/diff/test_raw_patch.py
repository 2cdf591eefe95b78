"""DiffService/RawPatch (diff-conflicts.md 4)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import RawPatchRequest, RawPatchResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import LEFT, RIGHT
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(
    daemon: Daemon, repo: Repo, left: str = "left", right: str = "right"
) -> list[RawPatchResponse]:
    request = RawPatchRequest(repository=repo.message, left_commit_id=left, right_commit_id=right)
    return await collect(daemon.stub(DiffServiceStub).RawPatch(request))


async def raw_patch(daemon: Daemon, repo: Repo, *args: str) -> bytes:
    return b"".join(message.data for message in await responses(daemon, repo, *args))


def filled(repo: Repo) -> Repo:
    """Two commits above `left`, of which one is a merge, and their branch `right`."""
    left = repo.commit("left\n", LEFT, ref="refs/heads/left")
    one = repo.commit("Änderung: one\n\nbody\n", RIGHT, [left], author="Ä <a@b.c>")
    side = repo.commit("side\n", {**LEFT, "side": b"\0"}, [left])
    merge = repo.commit("merge\n", {**RIGHT, "side": b"\0"}, [one, side])
    repo.commit("two\n", {**RIGHT, "side": b"\0", "last": b"last\n"}, [merge], ref="refs/heads/right")
    return repo


async def test_the_output_is_that_of_git(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)

    for left, right in (("left", "right"), ("right", "left"), (repo.format.empty_tree, "right")):
        expected = repo.git_bytes("format-patch", "--stdout", "--signature=GitLab", f"{left}..{right}")
        assert await raw_patch(daemon, repo, left, right) == expected
    patch = await raw_patch(daemon, repo)
    assert patch.count(b"\nFrom: ") == 3
    assert patch.endswith(b"\n-- \nGitLab\n\n")
    assert b"\nGIT binary patch\n" in patch
    assert await responses(daemon, repo, "right", "right") == []


@pytest.mark.parametrize(
    ("left", "right", "code", "text"),
    [
        ("", "right", StatusCode.INVALID_ARGUMENT, "empty LeftCommitId"),
        ("left", "", StatusCode.INVALID_ARGUMENT, "empty RightCommitId"),
        ("left", "nope", StatusCode.INTERNAL, "cmd: exit status 128"),
        (
            "-x",
            "right",
            StatusCode.INTERNAL,
            "cmd: positional arg \"-x..right\" cannot start with dash '-': invalid argument",
        ),
    ],
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, left: str, right: str, code: StatusCode, text: str
) -> None:
    async with refused(code, text):
        await responses(daemon, filled(repo), left, right)


async def test_attributes_of_head_decide_what_is_binary(daemon: Daemon, repo: Repo) -> None:
    left = repo.commit("left\n", {"a.txt": b"1\n"}, ref="refs/heads/left")
    repo.commit("right\n", {"a.txt": b"2\n"}, [left], ref="refs/heads/right")
    assert b"\n-1\n+2\n" in await raw_patch(daemon, repo)

    repo.commit("main\n", {".gitattributes": b"*.txt binary\n"}, ref="refs/heads/main")

    assert b"\nGIT binary patch\n" in await raw_patch(daemon, repo)
