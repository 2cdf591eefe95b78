"""DiffService/CommitDiff (diff-conflicts.md 2)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import CommitDiffRequest, CommitDiffResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import Change, changes, odd_pair
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(
    daemon: Daemon, repo: Repo, left: str = "left", right: str = "right", **fields: Any
) -> list[CommitDiffResponse]:
    request = CommitDiffRequest(repository=repo.message, left_commit_id=left, right_commit_id=right, **fields)
    return await collect(daemon.stub(DiffServiceStub).CommitDiff(request))


def stitched(messages: list[CommitDiffResponse]) -> list[CommitDiffResponse]:
    """One message a file."""
    files: list[CommitDiffResponse] = []
    for message in messages:
        if files and not files[-1].end_of_patch:
            files[-1].raw_patch_data += message.raw_patch_data
            files[-1].end_of_patch = message.end_of_patch
        else:
            files.append(message)
    return files


async def diff(daemon: Daemon, repo: Repo, *args: str, **fields: Any) -> list[Change]:
    return [
        Change(
            file.from_path,
            file.to_path,
            file.from_id,
            file.to_id,
            file.old_mode,
            file.new_mode,
            file.raw_patch_data,
            file.binary,
            file.lines_added,
            file.lines_removed,
        )
        for file in stitched(await responses(daemon, repo, *args, **fields))
    ]


async def test_files_are_told_as_git_tells_them(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)

    expected = changes(any_format_repo, left, right)
    assert await diff(daemon, any_format_repo, left, right) == expected
    assert len(expected) > 40
    assert await diff(daemon, any_format_repo, right, left) == changes(any_format_repo, right, left)
