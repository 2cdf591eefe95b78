"""DiffService/RawDiff (diff-conflicts.md 4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import RawDiffRequest, RawDiffResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import odd_pair
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(
    daemon: Daemon, repo: Repo, left: str = "left", right: str = "right"
) -> list[RawDiffResponse]:
    request = RawDiffRequest(repository=repo.message, left_commit_id=left, right_commit_id=right)
    return await collect(daemon.stub(DiffServiceStub).RawDiff(request))


async def raw_diff(daemon: Daemon, repo: Repo, *args: str) -> bytes:
    return b"".join(message.data for message in await responses(daemon, repo, *args))


async def test_the_output_is_that_of_git(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    left, right = odd_pair(repo)

    for pair in ((left, right), (right, left), (repo.format.empty_tree, right)):
        assert await raw_diff(daemon, repo, *pair) == repo.git_bytes("diff", "--full-index", *pair)
    messages = await responses(daemon, repo, left, right)
    assert 1 < len(messages) < 100
    assert all(0 < len(message.data) <= 128 * 1024 for message in messages)
    assert await responses(daemon, repo, right, right) == []


async def test_attributes_of_head_decide_what_is_shown(daemon: Daemon, repo: Repo) -> None:
    repo.commit("left\n", {"a.txt": b"1\n"}, ref="refs/heads/left")
    repo.commit("right\n", {"a.txt": b"2\n"}, ref="refs/heads/right")
    repo.commit("main\n", {".gitattributes": b"*.txt binary\n"}, ref="refs/heads/main")

    assert (await raw_diff(daemon, repo)).endswith(b"\nBinary files a/a.txt and b/a.txt differ\n")


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
            "cmd: positional arg \"-x\" cannot start with dash '-': invalid argument",
        ),
    ],
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, left: str, right: str, code: StatusCode, text: str
) -> None:
    odd_pair(repo)

    async with refused(code, text):
        await responses(daemon, repo, left, right)


async def test_files_of_the_machine_are_never_shown(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("one\n")
    (tmp_path / "two").write_text("two\n")

    async with refused(StatusCode.INTERNAL, "cmd: exit status 128"):
        await responses(daemon, repo, str(tmp_path / "one"), str(tmp_path / "two"))
