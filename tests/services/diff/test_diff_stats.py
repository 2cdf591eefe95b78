"""DiffService/DiffStats (diff-conflicts.md 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import DiffStatsRequest, DiffStatsResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import odd_pair
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Stats = tuple[bytes, int, int, bytes]
"""Path, additions, deletions and old path."""


async def responses(daemon: Daemon, repo: Repo, left: str, right: str) -> list[DiffStatsResponse]:
    request = DiffStatsRequest(repository=repo.message, left_commit_id=left, right_commit_id=right)
    return await collect(daemon.stub(DiffServiceStub).DiffStats(request))


async def stats(daemon: Daemon, repo: Repo, left: str, right: str) -> list[Stats]:
    return [
        (each.path, each.additions, each.deletions, each.old_path)
        for message in await responses(daemon, repo, left, right)
        for each in message.stats
    ]


def numstat(repo: Repo, left: str, right: str) -> list[Stats]:
    fields = repo.git_bytes("diff", "--numstat", "-z", left, right).split(b"\0")[:-1]
    found: list[Stats] = []
    while fields:
        added, removed, path = fields.pop(0).replace(b"-\t-\t", b"0\t0\t").split(b"\t", 2)
        old_path = b""
        if not path:
            old_path, path = fields.pop(0), fields.pop(0)
        found.append((path, int(added), int(removed), old_path))
    return found


async def test_lines_are_counted_as_git_counts_them(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)

    found = await stats(daemon, any_format_repo, left, right)

    assert found == numstat(any_format_repo, left, right)
    by_path = {path: rest for path, *rest in found}
    assert by_path[b"picture"] == [0, 0, b""]
    assert by_path[b"mode"] == [0, 0, b""]
    assert by_path[b"link to file"] == [1, 1, b""]
    assert by_path[b"moved far/away\t"] == [0, 0, b"moved"]
    assert by_path[b"not\xffutf-8"] == [1, 1, b""]


async def test_any_two_revisions_may_be_compared(daemon: Daemon, any_format_repo: Repo) -> None:
    first, second = any_format_repo.history(2, ref="refs/heads/main")
    any_format_repo.tag("v1", first)

    assert await stats(daemon, any_format_repo, "v1", "main") == [(b"file", 1, 1, b"")]
    assert await stats(daemon, any_format_repo, "main~", "main^{tree}") == [(b"file", 1, 1, b"")]
    assert await stats(daemon, any_format_repo, any_format_repo.format.empty_tree, second) == [
        (b"file", 1, 0, b"")
    ]


async def test_no_difference_is_no_message(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, ref="refs/heads/main")

    assert await responses(daemon, repo, "main", "main") == []


async def test_a_thousand_files_are_in_a_message(daemon: Daemon, repo: Repo) -> None:
    files = {f"{number:04}": b"x\n" for number in range(2001)}
    left, right = repo.tree({**files, "gone": b""}), repo.tree({})

    messages = await responses(daemon, repo, right, left)

    assert [len(message.stats) for message in messages] == [1000, 1000, 2]
    assert [each.path.decode() for message in messages for each in message.stats] == [*files, "gone"]
    assert {each.additions for message in messages for each in message.stats[:1]} == {1}


async def test_long_paths_make_smaller_messages(daemon: Daemon, repo: Repo) -> None:
    paths = [b"p" * 4000 + b"%03d" % number for number in range(600)]
    left = repo.tree({path: b"%d" % number for number, path in enumerate(paths)})
    right = repo.tree({b"q" + path: b"%d" % number for number, path in enumerate(paths)})

    messages = await responses(daemon, repo, left, right)

    found = [(each.old_path, each.path) for message in messages for each in message.stats]
    assert found == [(path, b"q" + path) for path in paths]
    assert all(message.ByteSize() <= 1_050_000 for message in messages)


async def test_attributes_of_head_are_heeded(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    left = repo.commit(files={"a.dat": b"1\n", "sub/b.txt": b"1\n", "c.txt": b"1\n"})
    right = repo.commit(files={"a.dat": b"2\n", "sub/b.txt": b"2\n", "c.txt": b"2\n"})
    plain = await stats(daemon, repo, left, right)
    repo.commit(
        files={".gitattributes": b"*.dat binary\n", "sub/.gitattributes": b"*.txt -diff\n"},
        ref="refs/heads/main",
    )

    attributed = await stats(daemon, repo, left, right)

    assert plain == [(b"a.dat", 1, 1, b""), (b"c.txt", 1, 1, b""), (b"sub/b.txt", 1, 1, b"")]
    assert attributed == [(b"a.dat", 0, 0, b""), (b"c.txt", 1, 1, b""), (b"sub/b.txt", 0, 0, b"")]


@pytest.mark.parametrize(
    ("left", "right", "code", "text"),
    [
        ("", "main", StatusCode.INVALID_ARGUMENT, "empty LeftCommitId"),
        ("main", "", StatusCode.INVALID_ARGUMENT, "empty RightCommitId"),
        ("invalidinvalidinvalid", "main", StatusCode.FAILED_PRECONDITION, "exit status 128"),
        ("main", "0" * 40, StatusCode.FAILED_PRECONDITION, "exit status 128"),
        (
            "--no-index",
            "main",
            StatusCode.INTERNAL,
            "cmd: positional arg \"--no-index\" cannot start with dash '-': invalid argument",
        ),
        (
            "main",
            "-x",
            StatusCode.INTERNAL,
            "cmd: positional arg \"-x\" cannot start with dash '-': invalid argument",
        ),
    ],
)
async def test_what_can_not_be_compared_is_refused(
    daemon: Daemon, any_format_repo: Repo, left: str, right: str, code: StatusCode, text: str
) -> None:
    any_format_repo.history(1, ref="refs/heads/main")

    async with refused(code, text):
        await stats(daemon, any_format_repo, left, right)


async def test_files_of_the_machine_are_no_revisions(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    files: list[Any] = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.write_text(f"{file.name}\n")

    async with refused(StatusCode.FAILED_PRECONDITION, "exit status 128"):
        await stats(daemon, repo, *map(str, files))
