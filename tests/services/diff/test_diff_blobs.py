"""DiffService/DiffBlobs with pairs of blobs (diff-conflicts.md 9.2); see also test_diff_blobs_raw_info."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import DiffBlobsRequest, DiffBlobsResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import CONFUSING
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused

Pair = tuple[str | bytes, str | bytes]
END = DiffBlobsResponse.STATUS_END_OF_PATCH
INCOMPLETE = DiffBlobsResponse.STATUS_INCOMPLETE


async def responses(daemon: Daemon, repo: Repo, *pairs: Pair, **fields: Any) -> list[DiffBlobsResponse]:
    sides = [{"left_blob": os.fsencode(left), "right_blob": os.fsencode(right)} for left, right in pairs]
    request = DiffBlobsRequest(repository=repo.message, blob_pairs=sides, **fields)
    return await collect(daemon.stub(DiffServiceStub).DiffBlobs(request))


def response(repo: Repo, left: str, right: str, patch: bytes, added: int, removed: int) -> DiffBlobsResponse:
    return DiffBlobsResponse(
        left_blob_id=left,
        right_blob_id=right,
        patch=patch,
        patch_size=len(patch),
        binary=patch.startswith(b"Binary"),
        lines_added=added,
        lines_removed=removed,
        status=END,
    )


async def test_blobs_are_compared_in_the_order_of_the_request(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    foo, bar, bare = repo.blob(b"foo\n"), repo.blob(b"bar\n"), repo.blob(b"foo")
    empty, binary, other = repo.blob(b""), repo.blob(b"\0"), repo.blob(b"\0\0")
    confusing = repo.blob(CONFUSING)
    shown = b"".join(b"+%s\n" % line for line in CONFUSING.split(b"\n")[:-1])
    expected = [
        response(repo, foo, bar, b"@@ -1 +1 @@\n-foo\n+bar\n", 1, 1),
        response(repo, bare, bar, b"@@ -1 +1 @@\n-foo\n\\ No newline at end of file\n+bar\n", 1, 1),
        response(repo, empty, bar, b"@@ -0,0 +1 @@\n+bar\n", 1, 0),
        response(repo, empty, confusing, b"@@ -0,0 +1,10 @@\n" + shown, 10, 0),
        response(repo, binary, other, f"Binary files a/{binary} and b/{other} differ\n".encode(), 0, 0),
        response(repo, bar, foo, b"@@ -1 +1 @@\n-bar\n+foo\n", 1, 1),
    ]

    assert (
        await responses(daemon, repo, *[(each.left_blob_id, each.right_blob_id) for each in expected])
        == expected
    )
    assert expected[4].patch_size == (158 if len(foo) == 64 else 110)


async def test_zeros_stand_for_a_blob_that_is_absent(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    zeros, bar = repo.format.zero_oid, repo.blob(b"bar\n")
    before = sorted(Path(repo.path).rglob("*"))

    assert await responses(daemon, repo, (zeros, bar), (bar, zeros)) == [
        response(repo, zeros, bar, b"@@ -0,0 +1 @@\n+bar\n", 1, 0),
        response(repo, bar, zeros, b"@@ -1 +0,0 @@\n-bar\n", 0, 1),
    ]
    assert sorted(Path(repo.path).rglob("*")) == before
    assert not [name for name in os.listdir(daemon.storage / "+gitaly/tmp") if name.startswith("quarantine")]
    empty = repo.blob(b"")
    assert await responses(daemon, repo, (zeros, empty), (empty, zeros), (empty, bar)) == [
        DiffBlobsResponse(left_blob_id=zeros, right_blob_id=empty, status=END),
        DiffBlobsResponse(left_blob_id=empty, right_blob_id=zeros, status=END),
        response(repo, empty, bar, b"@@ -0,0 +1 @@\n+bar\n", 1, 0),
    ]


async def test_a_revision_with_a_path_brings_its_path(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    files: dict[str | bytes, Entry] = {
        "foo": b"1\n",
        "d/x b/é:\n": b"2\n",
        "link": ("120000", b"foo"),
        ".gitattributes": b"foo binary\n",
    }
    repo.commit("x\n", files, ref="refs/heads/main")
    one, two, link = repo.blob(b"1\n"), repo.blob(b"2\n"), repo.blob(b"foo")

    path = "main:d/x b/é:\n".encode()
    assert await responses(
        daemon, repo, (path, one), ("main:foo", two), (two, "HEAD:foo"), ("main:link", two)
    ) == [
        response(repo, two, one, b"@@ -1 +1 @@\n-2\n+1\n", 1, 1),
        response(repo, one, two, f"Binary files a/foo and b/{two} differ\n".encode(), 0, 0),
        response(repo, two, one, f"Binary files a/{two} and b/foo differ\n".encode(), 0, 0),
        response(repo, link, two, b"@@ -1 +0,0 @@\n-foo\n\\ No newline at end of file\n", 0, 1),
    ]


async def test_words_are_compared_on_request(daemon: Daemon, repo: Repo) -> None:
    pair = (repo.blob(b"one two\n"), repo.blob(b"one  three\n"))

    [found] = await responses(daemon, repo, pair, diff_mode=DiffBlobsRequest.DIFF_MODE_WORD)

    shown = repo.git_bytes("diff", "--word-diff=porcelain", *pair)
    assert found.patch == shown[shown.index(b"@@") :]
    assert b"\n-two\n+three\n~\n" in found.patch


@pytest.mark.parametrize(("limit", "over"), [(23, False), (22, True), (1, True), (0, False), (-1, False)])
async def test_a_patch_that_reaches_the_limit_is_left_out(
    daemon: Daemon, repo: Repo, limit: int, over: bool
) -> None:
    foo, bar = repo.blob(b"foo\n"), repo.blob(b"bar\n")
    expected = response(repo, foo, bar, b"@@ -1 +1 @@\n-foo\n+bar\n", 1, 1)
    if over:
        expected.patch = b""
        expected.over_patch_bytes_limit = True

    assert await responses(daemon, repo, (foo, bar), patch_bytes_limit=limit) == [expected]


async def test_a_limit_is_512000_bytes_at_most(daemon: Daemon, repo: Repo) -> None:
    hunk = b"@@ -0,0 +1 @@\n"
    empty, under, reached = (
        repo.blob(b"x" * (size - len(hunk) - 2) + b"\n" if size else b"") for size in (0, 511_999, 512_000)
    )

    found = await responses(daemon, repo, (empty, under), (empty, reached), patch_bytes_limit=2**31 - 1)

    assert [each.patch_size for each in found if each.patch_size] == [511_999, 512_000]
    assert found[-1].over_patch_bytes_limit
    assert sum(len(each.patch) for each in found) == 511_999


@pytest.mark.parametrize(("size", "sizes"), [(5120, [5120]), (5121, [5120, 1]), (12_000, [5120, 5120, 1760])])
async def test_a_long_patch_comes_in_pieces(daemon: Daemon, repo: Repo, size: int, sizes: list[int]) -> None:
    empty, long = repo.blob(b""), repo.blob(b"x" * (size - 16) + b"\n")

    first, *rest = await responses(daemon, repo, (empty, long))

    assert [len(each.patch) for each in (first, *rest)] == sizes
    assert [each.status for each in (first, *rest)] == [INCOMPLETE] * len(rest) + [END]
    assert (first.patch_size, first.lines_added) == (size, 1)
    assert all(each == DiffBlobsResponse(patch=each.patch, status=each.status) for each in rest)


OID = "validating blob ID: invalid object ID"
"""What texts of ids that are none have in common."""


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        (
            "",
            "{one}",
            f'getting left blob info: {OID}: "", expected length 40, got 0',
        ),
        (
            "{one}",
            "main",
            f'getting right blob info: {OID}: "main", expected length 40, got 4',
        ),
        (
            "{one}",
            "Z" * 40,
            f"getting right blob info: {OID}: \"{'Z' * 40}\", invalid character 'Z'",
        ),
        (":foo", "{one}", "getting left blob info: validating path-scoped revision: empty revision"),
        (
            "{one}",
            "-x:foo",
            "getting right blob info: validating path-scoped revision: revision can't start with '-'",
        ),
        (
            "a b:foo",
            "{one}",
            "getting left blob info: validating path-scoped revision: revision can't contain whitespace",
        ),
        (
            "a\\b:foo",
            "{one}",
            "getting left blob info: validating path-scoped revision: revision can't contain '\\'",
        ),
        (
            "main:a\0b",
            "{one}",
            "getting left blob info: validating path-scoped revision: revision can't contain NUL",
        ),
        ("f" * 40, "{one}", "getting left blob info: getting revision info: object not found"),
        ("{one}", "main:nope", "getting right blob info: getting revision info: object not found"),
        ("{one}", "main:sub", "getting right blob info: getting revision info: object not found"),
        ("{one}", "main:d", "getting right blob info: revision is not blob"),
        ("{commit}", "{one}", "getting left blob info: revision is not blob"),
        ("{one}", "{one}", "left and right blob revisions resolve to same OID"),
        ("{one}", "main:foo", "left and right blob revisions resolve to same OID"),
        ("0" * 40, "0" * 40, "left and right blob revisions resolve to same OID"),
    ],
)
async def test_pairs_that_are_none_are_refused_before_anything_is_sent(
    daemon: Daemon, repo: Repo, left: str, right: str, text: str
) -> None:
    files: dict[str | bytes, Entry] = {"foo": b"1\n", "d/f": b"2\n", "sub": ("160000", "1" * 40)}
    commit = repo.commit("x\n", files, ref="refs/heads/main")
    names = {"{one}": repo.blob(b"1\n"), "{commit}": commit}
    good = (repo.blob(b"1\n"), repo.blob(b"2\n"))

    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await responses(daemon, repo, good, (names.get(left, left), names.get(right, right)))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "request contains no file pairs to diff"),
        (
            {"blob_pairs": [{}], "raw_info": [{}]},
            "blob pairs and raw info both used in request",
        ),
        ({"raw_info": [{"new_blob_id": "a"}]}, "raw info entry missing blob IDs"),
        ({"raw_info": [{"old_blob_id": "a"}]}, "raw info entry missing blob IDs"),
        ({"raw_info": [{"old_blob_id": "a", "new_blob_id": "b"}]}, "raw info entry missing path"),
        (
            {"raw_info": [{"old_blob_id": "a", "new_blob_id": "b", "path": b"p", "status": "RENAMED"}]},
            "rename/copy raw info entry missing old path",
        ),
        (
            {"raw_info": [{"old_blob_id": "a", "new_blob_id": "b", "path": b"p", "status": "COPIED"}]},
            "rename/copy raw info entry missing old path",
        ),
        (
            {"blob_pairs": [{}], "whitespace_changes": "WHITESPACE_CHANGES_IGNORE"},
            "whitespace changes cannot be ignored when blob pairs are provided",
        ),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    request = DiffBlobsRequest(repository=repo.message, **fields)

    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await collect(daemon.stub(DiffServiceStub).DiffBlobs(request))
