"""The limits of DiffService/CommitDiff (diff-conflicts.md 1.4); for their sums see the parser."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from gitaly_py.pb.diff_pb2 import CommitDiffRequest, CommitDiffResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import collect

LARGE = {"max_files": 99, "max_lines": 999, "max_bytes": 99_999, "max_patch_bytes": 99_999}
SAFE = {"safe_max_files": 99, "safe_max_lines": 999, "safe_max_bytes": 99_999}
OVERFLOW = CommitDiffResponse(overflow_marker=True, end_of_patch=True)


class Shown(NamedTuple):
    """What limits do to a file. patch: its length."""

    path: str
    patch: int
    lines: int
    marks: str


async def responses(daemon: Daemon, repo: Repo, **fields: Any) -> list[CommitDiffResponse]:
    request = CommitDiffRequest(
        repository=repo.message, left_commit_id="left", right_commit_id="right", **fields
    )
    return await collect(daemon.stub(DiffServiceStub).CommitDiff(request))


async def shown(daemon: Daemon, repo: Repo, **fields: Any) -> list[Shown]:
    found = []
    for file in await responses(daemon, repo, **fields):
        marks = {"C": file.collapsed, "L": file.too_large, "O": file.overflow_marker}
        assert file.end_of_patch
        found.append(
            Shown(
                file.to_path.decode(),
                len(file.raw_patch_data),
                file.lines_added,
                "".join(letter for letter, marked in marks.items() if marked),
            )
        )
    return found


@pytest.fixture
def added(repo: Repo) -> Repo:
    """Four added files: of 1, 10, 1 and 1 lines of two bytes, each with its `+`, and a hunk header."""
    files: dict[str | bytes, Entry] = {"a": b"1\n", "b.txt": b"1\n" * 10, "c": b"1\n", "d": b"1\n"}
    repo.commit("left\n", {}, ref="refs/heads/left")
    repo.commit("right\n", files, ref="refs/heads/right")
    return repo


ALL = [Shown("a", 17, 1, ""), Shown("b.txt", 47, 10, ""), Shown("c", 17, 1, ""), Shown("d", 17, 1, "")]


def left_out(marks: str, *numbers: int) -> list[Shown]:
    return [
        each._replace(patch=0, marks=marks) if number in numbers else each for number, each in enumerate(ALL)
    ]


async def test_limits_that_are_not_reached_change_nothing(daemon: Daemon, added: Repo) -> None:
    assert await shown(daemon, added) == ALL
    assert await shown(daemon, added, enforce_limits=True, collapse_diffs=True, **LARGE, **SAFE) == ALL
    assert await shown(daemon, added, max_files=1, max_lines=1, max_bytes=1, max_patch_bytes=1) == ALL


@pytest.mark.parametrize(
    ("limit", "value", "files"),
    [
        ("max_files", 2, 2),
        ("max_lines", 11, 1),
        ("max_lines", 12, 2),
        ("max_bytes", 33, 1),
        ("max_bytes", 34, 2),
    ],
)
async def test_a_limit_of_the_whole_ends_the_diff(
    daemon: Daemon, added: Repo, limit: str, value: int, files: int
) -> None:
    found = await responses(daemon, added, enforce_limits=True, **{**LARGE, limit: value})

    assert [file.to_path.decode() for file in found[:-1]] == [each.path for each in ALL[:files]]
    assert found[-1] == OVERFLOW
    all_paths = await shown(
        daemon, added, enforce_limits=True, collect_all_paths=True, **{**LARGE, limit: value}
    )
    assert all_paths == left_out("O", *range(files, 4))


async def test_a_large_patch_is_left_out_and_gives_back_what_it_took(daemon: Daemon, added: Repo) -> None:
    limits: dict[str, Any] = {**LARGE, "enforce_limits": True}

    assert await shown(daemon, added, **{**limits, "max_patch_bytes": 47}) == left_out("L", 1)
    assert await shown(daemon, added, **{**limits, "max_patch_bytes": 48}) == ALL
    assert await shown(daemon, added, **{**limits, "max_patch_bytes": 18, "max_lines": 4}) == left_out("L", 1)
    assert await shown(daemon, added, **{**limits, "max_patch_bytes": 0}) == left_out("L", 0, 1, 2, 3)


async def test_file_types_have_limits_of_their_own(daemon: Daemon, added: Repo) -> None:
    limits: dict[str, Any] = {**LARGE, "enforce_limits": True}

    for extensions, expected in (
        ({".txt": 1}, left_out("L", 1)),
        ({"c": 1}, left_out("L", 2)),
        ({"txt": 1, "": 1}, ALL),
    ):
        found = await shown(daemon, added, max_patch_bytes_for_file_extension=extensions, **limits)
        assert found == expected
    limits["max_patch_bytes"] = 1
    assert await shown(
        daemon, added, max_patch_bytes_for_file_extension={".txt": 600_000}, **limits
    ) == left_out("L", 0, 2, 3)


@pytest.mark.parametrize(
    ("limit", "value", "collapsed"),
    [
        ("safe_max_files", 2, (2, 3)),
        ("safe_max_lines", 3, (1,)),
        ("safe_max_lines", 11, (2, 3)),
        ("safe_max_bytes", 2, (0, 1)),
    ],
)
async def test_beyond_safe_limits_files_are_collapsed(
    daemon: Daemon, added: Repo, limit: str, value: int, collapsed: tuple[int, ...]
) -> None:
    found = await shown(daemon, added, collapse_diffs=True, **{**SAFE, limit: value})

    assert found == left_out("C", *collapsed)


async def test_a_collapsed_file_can_end_the_diff_nevertheless(daemon: Daemon, added: Repo) -> None:
    limits: dict[str, Any] = {
        "enforce_limits": True, "collapse_diffs": True, **LARGE, **SAFE, "safe_max_files": 1, "max_files": 2,
    }  # fmt: skip

    found = await responses(daemon, added, **limits)
    assert [file.collapsed for file in found] == [False, True, False]
    assert found[-1] == OVERFLOW
    expected = [ALL[0], ALL[1]._replace(patch=0, marks="C")]
    expected += [each._replace(patch=0, marks="CO") for each in ALL[2:]]
    assert await shown(daemon, added, collect_all_paths=True, **limits) == expected


async def test_no_limit_is_higher_than_it_may_be(daemon: Daemon, repo: Repo) -> None:
    lines: dict[str | bytes, Entry] = {
        "1 large patch": b"x" * 512_000 + b"\n",
        "2 many lines": b"\n" * 25_001,
        "3": b"1\n",
    }
    repo.commit("left\n", {}, ref="refs/heads/left")
    repo.commit("right\n", lines, ref="refs/heads/right")
    most = dict.fromkeys([*LARGE, *SAFE], 2**31 - 1)

    found = await responses(daemon, repo, enforce_limits=True, collapse_diffs=True, **most)

    assert [(file.too_large, file.collapsed, file.overflow_marker) for file in found] == [
        (True, False, False),
        (False, True, False),
        (False, False, False),
    ]


async def test_five_thousand_files_are_the_most(daemon: Daemon, repo: Repo) -> None:
    blob = repo.blob(b"1\n")
    tree = repo.raw_tree([("100644", b"%04d" % number, blob) for number in range(5002)])
    repo.commit("left\n", {}, ref="refs/heads/left")
    repo.commit("right\n", tree=tree, ref="refs/heads/right")
    most = dict.fromkeys(LARGE, 2**31 - 1)

    found = await responses(daemon, repo, enforce_limits=True, **most)

    assert len(found) == 5001
    assert found[-1] == OVERFLOW
