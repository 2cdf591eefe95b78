"""DiffService/CommitDelta (diff-conflicts.md 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import CommitDelta, CommitDeltaRequest, CommitDeltaResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import PROSE, odd_pair
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused


async def responses(
    daemon: Daemon, repo: Repo, left: str = "left", right: str = "right", **fields: Any
) -> list[CommitDeltaResponse]:
    request = CommitDeltaRequest(
        repository=repo.message, left_commit_id=left, right_commit_id=right, **fields
    )
    return await collect(daemon.stub(DiffServiceStub).CommitDelta(request))


async def deltas(daemon: Daemon, repo: Repo, *args: str, **fields: Any) -> list[CommitDelta]:
    return [delta for message in await responses(daemon, repo, *args, **fields) for delta in message.deltas]


def listed(repo: Repo, left: str, right: str) -> list[CommitDelta]:
    """What git lists, with the two halves of type changes."""
    zeros = "0" * repo.format.hex_length
    output = repo.git_bytes("diff", "--raw", "-z", "-M", f"--abbrev={len(zeros)}", left, right)
    fields = output.split(b"\0")[:-1]
    found: list[CommitDelta] = []
    while fields:
        old_mode, new_mode, old, new, status = fields.pop(0)[1:].split(b" ")
        source = fields.pop(0)
        target = fields.pop(0) if status[:1] in b"RC" else source
        delta = CommitDelta(
            from_path=source,
            to_path=target,
            from_id=old.decode(),
            to_id=new.decode(),
            old_mode=int(old_mode, 8),
            new_mode=int(new_mode, 8),
        )
        if status == b"T":
            removal = CommitDelta(from_path=source, to_path=target, from_id=delta.from_id, to_id=zeros)
            removal.old_mode = delta.old_mode
            delta.from_id, delta.old_mode = zeros, 0
            found.append(removal)
        found.append(delta)
    return found


async def test_files_are_told_as_git_lists_them(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)

    expected = listed(any_format_repo, left, right)
    assert await deltas(daemon, any_format_repo, left, right) == expected
    assert len(expected) > 40
    assert await deltas(daemon, any_format_repo, right, left) == listed(any_format_repo, right, left)
    assert await responses(daemon, any_format_repo, left, left) == []


async def test_half_of_a_file_must_be_the_same_to_be_renamed(daemon: Daemon, repo: Repo) -> None:
    repo.commit("left\n", {"a": PROSE}, ref="refs/heads/left")
    other = b"".join(b"%d: something else that stands here\n" % number for number in range(60))
    repo.commit("right\n", {"b": PROSE[: len(PROSE) * 45 // 100] + other}, ref="refs/heads/right")

    assert [delta.from_path for delta in await deltas(daemon, repo)] == [b"a", b"b"]
    repo.commit("right\n", {"b": PROSE[: len(PROSE) * 60 // 100]}, ref="refs/heads/right")
    assert [(delta.from_path, delta.to_path) for delta in await deltas(daemon, repo)] == [(b"a", b"b")]


async def test_a_message_is_sent_once_it_is_large_enough(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    names = [b"%04d" % number + b"x" * (number % 60) for number in range(3000)]
    before, after = repo.blob(b"1\n"), repo.blob(b"2\n")
    for branch, blob in (("left", before), ("right", after)):
        tree = repo.raw_tree([("100644", name, blob) for name in names])
        repo.commit("x\n", tree=tree, ref=f"refs/heads/{branch}")

    messages = await responses(daemon, repo)

    assert [delta.to_path for message in messages for delta in message.deltas] == names
    for message in messages:
        sizes = [2 * len(delta.from_id) + 8 + 2 * len(delta.to_path) for delta in message.deltas]
        assert sum(sizes[:-1]) <= 5120
        assert sum(sizes) > 5120 or message == messages[-1]


async def test_paths_are_pathspecs(daemon: Daemon, repo: Repo) -> None:
    left: dict[str | bytes, Entry] = dict.fromkeys(("a.c", "d/b.c", "d/e"), b"1\n")
    repo.commit("left\n", left, ref="refs/heads/left")
    repo.commit("right\n", dict.fromkeys(left, b"2\n"), ref="refs/heads/right")

    assert [delta.to_path for delta in await deltas(daemon, repo, paths=[b"*.c"])] == [b"a.c", b"d/b.c"]
    assert [delta.to_path for delta in await deltas(daemon, repo, paths=[b"d"])] == [b"d/b.c", b"d/e"]


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"left": ""}, StatusCode.INVALID_ARGUMENT, "empty LeftCommitId"),
        ({"right": ""}, StatusCode.INVALID_ARGUMENT, "empty RightCommitId"),
        ({"left": "nope"}, StatusCode.FAILED_PRECONDITION, "exit status 128"),
        ({"right": "0" * 40}, StatusCode.FAILED_PRECONDITION, "exit status 128"),
        ({"paths": [b""]}, StatusCode.FAILED_PRECONDITION, "exit status 128"),
        (
            {"right": "-x"},
            StatusCode.INTERNAL,
            "cmd: positional arg \"-x\" cannot start with dash '-': invalid argument",
        ),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], code: StatusCode, text: str
) -> None:
    odd_pair(repo)

    async with refused(code, text):
        await responses(daemon, repo, **fields)


async def test_files_of_the_machine_are_never_compared(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("one\n")

    async with refused(StatusCode.FAILED_PRECONDITION, "exit status 128"):
        await responses(daemon, repo, str(tmp_path / "one"), str(tmp_path / "one"))
