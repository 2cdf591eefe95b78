"""DiffService/DiffBlobs for changed files (diff-conflicts.md 9.3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import ChangedPaths, DiffBlobsRequest, DiffBlobsResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import Change, changes, odd_pair
from tests.support.repositories import Repo
from tests.support.status import collect, refused

END = DiffBlobsResponse.STATUS_END_OF_PATCH
STATUSES = {
    b"A": ChangedPaths.ADDED,
    b"M": ChangedPaths.MODIFIED,
    b"D": ChangedPaths.DELETED,
    b"T": ChangedPaths.TYPE_CHANGE,
    b"C": ChangedPaths.COPIED,
    b"R": ChangedPaths.RENAMED,
}


async def compared(
    daemon: Daemon, repo: Repo, infos: Sequence[ChangedPaths], **fields: Any
) -> list[DiffBlobsResponse]:
    """One message a result."""
    request = DiffBlobsRequest(repository=repo.message, raw_info=infos, **fields)
    found: list[DiffBlobsResponse] = []
    for message in await collect(daemon.stub(DiffServiceStub).DiffBlobs(request)):
        if found and found[-1].status != END:
            assert message == DiffBlobsResponse(patch=message.patch, status=message.status)
            found[-1].patch += message.patch
            found[-1].status = message.status
        else:
            found.append(message)
    return found


def raw_info(repo: Repo, left: str, right: str) -> list[ChangedPaths]:
    """The changed files of two commits, as FindChangedPaths would tell them."""
    digits = repo.format.hex_length
    output = repo.git_bytes("diff", "--raw", "-z", "--find-renames=30%", f"--abbrev={digits}", left, right)
    fields = output.split(b"\0")[:-1]
    found = []
    while fields:
        old_mode, new_mode, old, new, status = fields.pop(0)[1:].split(b" ")
        source = fields.pop(0)
        renamed = status[:1] in b"RC"
        found.append(
            ChangedPaths(
                path=fields.pop(0) if renamed else source,
                old_path=source if renamed else b"",
                status=STATUSES[status[:1]],
                old_mode=int(old_mode, 8),
                new_mode=int(new_mode, 8),
                old_blob_id=old.decode(),
                new_blob_id=new.decode(),
            )
        )
    return found


def result(change: Change) -> DiffBlobsResponse:
    return DiffBlobsResponse(
        left_blob_id=change.from_id,
        right_blob_id=change.to_id,
        patch=change.patch,
        patch_size=len(change.patch),
        binary=change.binary,
        lines_added=change.lines_added,
        lines_removed=change.lines_removed,
        status=END,
    )


def modified(repo: Repo, path: bytes, old: bytes, new: bytes) -> ChangedPaths:
    return ChangedPaths(
        path=path,
        status=ChangedPaths.MODIFIED,
        old_mode=0o100644,
        new_mode=0o100644,
        old_blob_id=repo.blob(old),
        new_blob_id=repo.blob(new),
    )


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({}, []),
        ({"diff_mode": DiffBlobsRequest.DIFF_MODE_WORD}, ["--word-diff=porcelain"]),
        ({"whitespace_changes": DiffBlobsRequest.WHITESPACE_CHANGES_IGNORE_ALL}, ["-w"]),
    ],
    ids=["plain", "words", "white space"],
)
async def test_changed_files_are_compared_as_git_compares_them(
    daemon: Daemon, any_format_repo: Repo, fields: dict[str, Any], flags: list[str]
) -> None:
    repo = any_format_repo
    left, right = odd_pair(repo)
    infos = raw_info(repo, left, right)
    before = sorted(Path(repo.path).rglob("*"))

    found = await compared(daemon, repo, infos, **fields)

    assert found == [result(change) for change in changes(repo, left, right, *flags)]
    assert len(found) > 40
    assert sorted(Path(repo.path).rglob("*")) == before
    assert not [name for name in os.listdir(daemon.storage / "+gitaly/tmp") if name.startswith("quarantine")]


async def test_results_come_in_the_order_of_the_request_whatever_the_paths(
    daemon: Daemon, repo: Repo
) -> None:
    infos = [
        modified(repo, b"z", b"1\n", b"2\n"),
        modified(repo, b"a", b"\0", b"\0\0"),
        modified(repo, b"z", b"1\n", b"1\n"),
        modified(repo, b"z", b"2\n", b"3\n"),
        modified(repo, b"z/below", b"3\n", b"4\n"),
    ]
    infos += [modified(repo, b"%d" % number, b"x\n", b"%d\n" % number) for number in range(20)]

    found = await compared(daemon, repo, infos)

    assert [(each.left_blob_id, each.right_blob_id) for each in found] == [
        (info.old_blob_id, info.new_blob_id) for info in infos
    ]
    assert [each.patch for each in found] == [
        b"@@ -1 +1 @@\n-1\n+2\n",
        b"Binary files a/a and b/a differ\n",
        b"",
        b"@@ -1 +1 @@\n-2\n+3\n",
        b"@@ -1 +1 @@\n-3\n+4\n",
        *[b"@@ -1 +1 @@\n-x\n+%d\n" % number for number in range(20)],
    ]


async def test_attributes_are_not_heeded(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", {".gitattributes": b"* binary\n"}, ref="refs/heads/main")

    [found] = await compared(daemon, repo, [modified(repo, b"a", b"1\n", b"2\n")])

    assert found.patch == b"@@ -1 +1 @@\n-1\n+2\n"


async def test_names_of_binary_files_are_those_of_the_request(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    renamed = modified(repo, b"new\n", b"\0", b"\0\0")
    renamed.old_path, renamed.status = b"old", ChangedPaths.RENAMED
    added, deleted = modified(repo, b"a", b"\0", b"\0\0"), modified(repo, b"d", b"\0", b"\0\0")
    added.status, added.old_blob_id, added.old_mode = ChangedPaths.ADDED, repo.format.zero_oid, 0
    deleted.status, deleted.new_blob_id, deleted.new_mode = ChangedPaths.DELETED, repo.format.zero_oid, 0
    lines = [
        b'Binary files a/old and "b/new\\n" differ\n',
        b"Binary files /dev/null and b/a differ\n",
        b"Binary files a/d and /dev/null differ\n",
    ]

    found = await compared(daemon, repo, [renamed, added, deleted])
    assert [(each.patch, each.patch_size, each.binary) for each in found] == [
        (line, len(line), True) for line in lines
    ]
    limited = await compared(daemon, repo, [renamed, added, deleted], patch_bytes_limit=len(lines[1]))
    assert [(each.patch, each.patch_size, each.over_patch_bytes_limit) for each in limited] == [
        (b"", len(lines[0]), True),
        (lines[1], len(lines[1]), False),
        (lines[2], len(lines[2]), False),
    ]


@pytest.mark.parametrize(("limit", "over"), [(20, False), (19, True), (0, False), (2**31 - 1, False)])
async def test_a_patch_beyond_the_limit_is_left_out(
    daemon: Daemon, repo: Repo, limit: int, over: bool
) -> None:
    [found] = await compared(daemon, repo, [modified(repo, b"a", b"fo\n", b"ba\n")], patch_bytes_limit=limit)

    assert (found.over_patch_bytes_limit, found.patch_size) == (over, 20)
    assert found.patch == (b"" if over else b"@@ -1 +1 @@\n-fo\n+ba\n")
    assert (found.lines_added, found.lines_removed) == (1, 1)


async def test_a_limit_may_be_higher_than_that_of_pairs(daemon: Daemon, repo: Repo) -> None:
    [found] = await compared(
        daemon, repo, [modified(repo, b"a", b"", b"x" * 600_000)], patch_bytes_limit=700_000
    )

    assert len(found.patch) == found.patch_size > 600_000


async def test_changes_after_one_that_git_cannot_make_have_empty_results(daemon: Daemon, repo: Repo) -> None:
    missing = modified(repo, b"b", b"1\n", b"2\n")
    missing.old_blob_id = "1" * 40
    infos = [modified(repo, b"a", b"1\n", b"2\n"), missing, modified(repo, b"c", b"1\n", b"2\n")]
    call = daemon.stub(DiffServiceStub).DiffBlobs(DiffBlobsRequest(repository=repo.message, raw_info=infos))

    found = [await call.read() for _ in infos]

    assert [each.patch for each in found] == [b"@@ -1 +1 @@\n-1\n+2\n", b"", b""]
    assert [each.left_blob_id for each in found] == [info.old_blob_id for info in infos]
    async with refused(StatusCode.INTERNAL, "waiting for git-diff-pairs: exit status 128"):
        await call.read()


@pytest.mark.parametrize(
    "fields",
    [
        {"old_blob_id": "abc"},
        {"new_blob_id": "x" * 40},
        {"old_mode": 0o40000},
        {"new_mode": -1},
        {"status": 9},
        {"path": b"a\0b"},
    ],
    ids=str,
)
async def test_nonsense_fails_as_git_would_fail(daemon: Daemon, repo: Repo, fields: dict[str, Any]) -> None:
    good, bad = modified(repo, b"a", b"1\n", b"2\n"), modified(repo, b"b", b"1\n", b"2\n")
    for name, value in fields.items():
        setattr(bad, name, value)
    request = DiffBlobsRequest(repository=repo.message, raw_info=[good, bad])
    call = daemon.stub(DiffServiceStub).DiffBlobs(request)

    for info in (good, bad):
        assert await call.read() == DiffBlobsResponse(
            left_blob_id=info.old_blob_id, right_blob_id=info.new_blob_id, status=END
        )
    async with refused(StatusCode.INTERNAL, "waiting for git-diff-pairs: exit status 128"):
        await call.read()
