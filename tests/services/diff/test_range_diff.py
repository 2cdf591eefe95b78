"""DiffService/RangeDiff and RawRangeDiff (diff-conflicts.md 8)."""

from __future__ import annotations

import subprocess
from typing import Any, NamedTuple

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import (
    BaseWithRevisions,
    RangeDiffRequest,
    RangeDiffResponse,
    RangePair,
    RawRangeDiffRequest,
    RevisionRange,
)
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused

PAIR = {"range_pair": RangePair(range1="base..old", range2="base..new")}
REVISIONS = {"revision_range": RevisionRange(rev1="old", rev2="new")}
WITH_BASE = {"base_with_revisions": BaseWithRevisions(base="base", rev1="old", rev2="new")}


OLD = b"a\n" * 20 + b"\nb\n"
NEW = b"a\n" * 20 + b"\nc\n"


class Series(NamedTuple):
    """Two versions of a series: `same` in both, `changed` in both, `dropped` and `added` in one."""

    same: tuple[str, str]
    changed: tuple[str, str]
    dropped: str
    added: str


def series(repo: Repo) -> Series:
    text = [b"line %d\n" % number for number in range(20)]

    def files(*changes: int, **more: bytes) -> dict[str | bytes, Entry]:
        lines = [b"changed\n" if number in changes else line for number, line in enumerate(text)]
        return {"file": b"".join(lines), **more}

    base = repo.commit("base\n", files(), ref="refs/heads/base")
    moved = repo.commit("moved\n", files(base=b"1\n"), [base])
    old_same = repo.commit("same\n", files(1), [base])
    old_changed = repo.commit("changed: old title\n", files(1, a=OLD), [old_same])
    dropped = repo.commit("dropped\n", files(1, 10, a=OLD), [old_changed], ref="refs/heads/old")
    new_same = repo.commit("same\n", files(1, base=b"1\n"), [moved])
    new_changed = repo.commit("changed: title\n", files(1, a=NEW, base=b"1\n"), [new_same])
    added = repo.commit(
        "added 1:  äöü\n",
        {"other": b"x\n" * 30, **files(1, a=NEW, base=b"1\n")},
        [new_changed],
        ref="refs/heads/new",
    )
    repo.ref("refs/heads/moved", moved)
    return Series((old_same, new_same), (old_changed, new_changed), dropped, added)


def git_range_diff(repo: Repo, *args: str) -> bytes:
    digits = repo.format.hex_length
    return repo.git_bytes("-c", f"core.abbrev={digits}", "range-diff", "--no-color", *args)


async def raw(daemon: Daemon, repo: Repo, **spec: Any) -> bytes:
    request = RawRangeDiffRequest(repository=repo.message, **spec)
    responses = await collect(daemon.stub(DiffServiceStub).RawRangeDiff(request))
    assert all(0 < len(response.data) <= 131_072 for response in responses)
    return b"".join(response.data for response in responses)


async def messages(daemon: Daemon, repo: Repo, **spec: Any) -> list[RangeDiffResponse]:
    request = RangeDiffRequest(repository=repo.message, **spec)
    return await collect(daemon.stub(DiffServiceStub).RangeDiff(request))


class Pair(NamedTuple):
    """The messages of one pair put together."""

    old: str
    comparison: int
    new: str
    title: str
    patch: bytes


def pairs(responses: list[RangeDiffResponse]) -> list[Pair]:
    found = []
    while responses:
        first = responses[0]
        last = next(number for number, each in enumerate(responses) if each.end_of_patch)
        mine, responses = responses[: last + 1], responses[last + 1 :]
        for each in mine[1:]:
            assert (each.from_commit_id, each.to_commit_id, each.commit_message_title) == ("", "", "")
        assert all(len(each.patch_data) == 5120 for each in mine[:-1])
        assert len(mine[-1].patch_data) <= 5120
        patch = b"".join(each.patch_data for each in mine)
        found.append(
            Pair(
                first.from_commit_id,
                first.comparison,
                first.to_commit_id,
                first.commit_message_title,
                patch,
            )
        )
    return found


def printed(repo: Repo, found: list[Pair]) -> list[bytes]:
    """The lines of git's output that `found` stands for, numbers left out."""
    signs = {0: "=", 1: ">", 2: "<", 3: "!"}
    lines = []
    for pair in found:
        lines.append(f"{pair.old} {signs[pair.comparison]} {pair.new} {pair.title}".encode())
        lines += [b"    " + line for line in pair.patch.split(b"\n")[:-1]]
    return lines


def without_numbers(output: bytes) -> list[bytes]:
    lines = []
    for line in output.split(b"\n")[:-1]:
        if line.startswith(b"    "):
            lines.append(line)
        else:
            _, old, sign, _, new, title = line.split(maxsplit=5)
            lines.append(b" ".join((old, sign, new, title)))
    return lines


@pytest.mark.parametrize(
    ("spec", "args"),
    [
        (PAIR, ["base..old", "base..new"]),
        ({"range_pair": RangePair(range1="old^!", range2="new^!")}, ["old^!", "new^!"]),
        (REVISIONS, ["old...new"]),
        (WITH_BASE, ["base", "old", "new"]),
    ],
    ids=["pair", "single commits", "revisions", "base"],
)
async def test_ranges_are_compared_as_git_compares_them(
    daemon: Daemon, any_format_repo: Repo, spec: dict[str, Any], args: list[str]
) -> None:
    series(any_format_repo)
    output = git_range_diff(any_format_repo, *args)

    assert await raw(daemon, any_format_repo, **spec) == output
    found = pairs(await messages(daemon, any_format_repo, **spec))
    assert printed(any_format_repo, found) == without_numbers(output)


async def test_each_pair_says_what_became_of_a_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    each = series(any_format_repo)
    dashes = "-" * any_format_repo.format.hex_length

    found = pairs(
        await messages(daemon, any_format_repo, range_pair=RangePair(range1="base..old", range2="moved..new"))
    )

    by_title = {pair.title: pair for pair in found}
    assert by_title["same"] == Pair(
        each.same[0], RangeDiffResponse.COMPARATOR_EQUAL_UNSPECIFIED, each.same[1], "same", b""
    )
    assert by_title["dropped"] == Pair(
        each.dropped, RangeDiffResponse.COMPARATOR_LESS_THAN, dashes, "dropped", b""
    )
    assert by_title["added 1:  äöü"] == Pair(
        dashes, RangeDiffResponse.COMPARATOR_GREATER_THAN, each.added, "added 1:  äöü", b""
    )
    changed = by_title["changed: old title"]
    assert changed[:3] == (
        each.changed[0],
        RangeDiffResponse.COMPARATOR_NOT_EQUAL,
        each.changed[1],
    )
    assert changed.patch.startswith(b"@@ Metadata\n")
    assert changed.patch.endswith(b"\n +a\n +\n-+b\n++c\n")
    assert b"\n \n" in changed.patch
    assert len(found) == 4


async def test_a_long_patch_comes_in_pieces(daemon: Daemon, repo: Repo) -> None:
    def content(number: int, marks: bytes) -> bytes:
        return b"".join(b"%d %s\n" % (line, marks if line % 20 == 0 else b"") for line in range(number))

    base = repo.commit("base\n", {"file": b""}, ref="refs/heads/base")
    repo.commit("long\n", {"file": content(5000, b"x")}, [base], ref="refs/heads/old")
    repo.commit("long\n", {"file": content(5000, b"y")}, [base], ref="refs/heads/new")

    responses = await messages(daemon, repo, **PAIR)

    [pair] = pairs(responses)
    assert len(responses) > 2
    assert [response.end_of_patch for response in responses] == [False] * (len(responses) - 1) + [True]
    assert responses[0].comparison == RangeDiffResponse.COMPARATOR_NOT_EQUAL
    assert printed(repo, [pair]) == without_numbers(git_range_diff(repo, "base..old", "base..new"))
    assert await raw(daemon, repo, **PAIR) == git_range_diff(repo, "base..old", "base..new")


async def test_a_file_that_holds_a_range_diff_confuses_nobody(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = b"a" * repo.format.hex_length
    line = b"1:  %s = 1:  %s title\n" % (oid, oid)
    base = repo.commit("base\n", {"file": line * 3}, ref="refs/heads/base")
    repo.commit("it\n", {"file": line * 3 + b"x\n" + line}, [base], ref="refs/heads/old")
    repo.commit("it\n", {"file": line * 3 + b"y\n" + line}, [base], ref="refs/heads/new")

    [pair] = pairs(await messages(daemon, repo, **PAIR))

    assert line in pair.patch
    assert printed(repo, [pair]) == without_numbers(git_range_diff(repo, "base..old", "base..new"))


async def test_colors_of_the_repository_s_configuration_are_left_out(daemon: Daemon, repo: Repo) -> None:
    series(repo)
    repo.git("config", "color.ui", "always")

    found = pairs(await messages(daemon, repo, **PAIR))

    assert printed(repo, found) == without_numbers(git_range_diff(repo, "base..old", "base..new"))


async def test_nothing_to_compare_is_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    series(any_format_repo)
    nothing = {"revision_range": RevisionRange(rev1="old", rev2="old")}

    assert await messages(daemon, any_format_repo, **nothing) == []
    assert await raw(daemon, any_format_repo, **nothing) == b""


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"range_pair": RangePair(range2="a..b")}, "empty Range1"),
        ({"range_pair": RangePair(range1="a..b")}, "empty Range2"),
        ({"revision_range": RevisionRange()}, "empty Rev1"),
        ({"revision_range": RevisionRange(rev1="a")}, "empty Rev2"),
        ({"base_with_revisions": BaseWithRevisions()}, "empty Rev1"),
        ({"base_with_revisions": BaseWithRevisions(rev1="a")}, "empty Rev2"),
        ({"base_with_revisions": BaseWithRevisions(rev1="a", rev2="b")}, "empty Base"),
    ],
)
async def test_both_sides_must_be_named(daemon: Daemon, repo: Repo, spec: dict[str, Any], text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await messages(daemon, repo, **spec)
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await raw(daemon, repo, **spec)


@pytest.mark.parametrize(
    ("spec", "args"),
    [
        ({}, []),
        ({"range_pair": RangePair(range1="base..nope", range2="base..new")}, ["base..nope", "base..new"]),
        ({"range_pair": RangePair(range1="base", range2="new")}, ["base", "new"]),
        ({"revision_range": RevisionRange(rev1="nope", rev2="new")}, ["nope...new"]),
        (
            {"base_with_revisions": BaseWithRevisions(base="nope", rev1="old", rev2="new")},
            ["nope", "old", "new"],
        ),
    ],
)
async def test_git_s_failures_are_told(
    daemon: Daemon, repo: Repo, spec: dict[str, Any], args: list[str]
) -> None:
    series(repo)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        git_range_diff(repo, *args)
    status = failed.value.returncode

    async with refused(StatusCode.FAILED_PRECONDITION, f"RangeDiff: exit status {status}"):
        await messages(daemon, repo, **spec)
    async with refused(StatusCode.INTERNAL, f"exit status {status}"):
        await raw(daemon, repo, **spec)


async def test_options_are_no_revisions(daemon: Daemon, repo: Repo) -> None:
    spec = {"base_with_revisions": BaseWithRevisions(base="base", rev1="--output=x", rev2="new")}
    text = "cmd: positional arg \"--output=x\" cannot start with dash '-': invalid argument"

    async with refused(StatusCode.INTERNAL, f"RangeDiff: {text}"):
        await messages(daemon, repo, **spec)
    async with refused(StatusCode.INTERNAL, text):
        await raw(daemon, repo, **spec)
