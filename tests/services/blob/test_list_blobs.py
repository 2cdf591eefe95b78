"""BlobService/ListBlobs (ref-blob.md 6.3)."""

from __future__ import annotations

import os
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import ListBlobsRequest, ListBlobsResponse
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from tests.support.blobs import Found, eventful, rev_list
from tests.support.daemon import Daemon
from tests.support.repositories import EPOCH, Repo
from tests.support.status import collect, refused

Blob = ListBlobsResponse.Blob
PIECE = 128 * 1024
FAILED = "processing blobs: rev-list pipeline command: exit status 128, stderr: "


async def messages(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[ListBlobsResponse]:
    request = ListBlobsRequest(repository=repo.message, revisions=revisions, **fields)
    return await collect(daemon.stub(BlobServiceStub).ListBlobs(request))


async def blobs(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[Blob]:
    return [blob for message in await messages(daemon, repo, *revisions, **fields) for blob in message.blobs]


async def found(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[Found]:
    listed = await blobs(daemon, repo, *revisions, with_paths=True, **fields)
    return [Found(blob.oid, blob.path) for blob in listed]


async def test_revisions_mean_what_they_mean_to_git(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    eventful(repo)
    for revisions in (
        ["main"],
        ["main", "^side"],
        ["side..main"],
        ["side...main"],
        ["main", "--not", "side", "other"],
        ["main", "--not", "v1", "--not", "other"],
        ["--all"],
        ["--not", "--all"],
        ["main", "--not", "--all"],
        ["--branches"],
        ["--branches=s*"],
        ["--tags"],
        ["--glob=refs/heads/o*", "side"],
        ["main", "--not", "--branches=s*", "--glob=refs/heads/other"],
        ["--not", "side..main", "--not", "other"],
        ["blob"],
        ["tree"],
        ["v1"],
        ["main:deep"],
        ["main:deep/a"],
        ["main:moved/file"],
        ["main:two words/inner file", "main:deep"],
        ["main^{tree}"],
        ["main^{tree}", "^side"],
        [repo.blob(b"1\n"), repo.blob(b"unreachable\n")],
        ["main", repo.git("rev-parse", "main:deep/a"), repo.blob(b"m\n")],
        ["main~1", "main^2"],
        [repo.git("rev-parse", "main")[:12]],
    ):
        expected = rev_list(repo, *revisions)
        assert await found(daemon, repo, *revisions) == expected, revisions
    unnamed = await blobs(daemon, repo, "main", "tree", "--not", "other")
    assert [blob.oid for blob in unnamed] == [each.oid for each in rev_list(repo, "main", "tree", "^other")]
    assert not any(blob.path for blob in unnamed)


async def test_a_new_commit_brings_only_its_own_blobs(daemon: Daemon, any_format_repo: Repo) -> None:
    commits = eventful(any_format_repo)
    pushed = any_format_repo.commit("new\n", {"fresh": b"fresh\n", "old": b"1\n"}, [commits["root"]])

    assert await found(daemon, any_format_repo, pushed, "--not", "--all") == [
        Found(any_format_repo.blob(b"fresh\n"), b"fresh")
    ]


async def test_what_is_given_directly_comes_first_then_commits_newest_first(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    old = repo.commit("old\n", {"z": b"z\n", "b": b"shared\n"}, time=EPOCH)
    new = repo.commit("new\n", {"a/y": b"y\n", "a/x": b"shared\n", "b": b"x\n"}, [old], time=EPOCH + 1)
    direct = repo.blob(b"direct\n")

    listed = await found(daemon, repo, new, direct, f"{old}:z")

    assert listed == [
        Found(direct, b""),
        Found(repo.blob(b"z\n"), b"z"),
        Found(repo.blob(b"shared\n"), b"a/x"),
        Found(repo.blob(b"y\n"), b"a/y"),
        Found(repo.blob(b"x\n"), b"b"),
    ]


async def test_a_path_with_a_line_end_is_found_and_cut(daemon: Daemon, any_format_repo: Repo) -> None:
    eventful(any_format_repo)
    blob = any_format_repo.blob(b"newline\n")

    listed = await found(daemon, any_format_repo, "main:new\nline", "--not", "other")

    assert listed == [Found(blob, b"new")]


async def test_sizes_and_data_are_those_of_the_blobs(daemon: Daemon, any_format_repo: Repo) -> None:
    eventful(any_format_repo)
    everything = {each.oid for each in rev_list(any_format_repo, "main")}

    for limit in (0, -1, 3, 6, 100):
        listed = await blobs(daemon, any_format_repo, "main", bytes_limit=limit)
        assert {blob.oid for blob in listed} == everything
        for blob in listed:
            data = any_format_repo.git_bytes("cat-file", "blob", blob.oid)
            assert blob == Blob(oid=blob.oid, size=len(data), data=data[:limit] if limit >= 0 else data)


@pytest.mark.parametrize("with_paths", [False, True])
async def test_a_large_blob_comes_in_pieces(daemon: Daemon, any_format_repo: Repo, with_paths: bool) -> None:
    repo = any_format_repo
    large = os.urandom(1024) * 8 * 1024
    repo.commit("x\n", {"a": b"small\n", "b": large, "c": b"", "d": large[:PIECE]}, ref="refs/heads/main")

    received = await messages(daemon, repo, "main", bytes_limit=-1, with_paths=with_paths)
    listed = [blob for message in received for blob in message.blobs]

    first = next(index for index, blob in enumerate(listed) if blob.oid == repo.blob(large))
    pieces = [listed[first], *(blob for blob in listed[first + 1 :] if not blob.oid)]
    path = b"b" if with_paths else b""
    assert listed[first : first + len(pieces)] == pieces
    assert pieces[0] == Blob(oid=repo.blob(large), size=len(large), data=pieces[0].data, path=path)
    assert all(blob == Blob(data=blob.data, path=path) for blob in pieces[1:])
    assert b"".join(blob.data for blob in pieces) == large
    assert all(0 < len(blob.data) <= PIECE for blob in pieces)
    assert [(blob.size, blob.data) for blob in listed if blob.oid and blob.oid != repo.blob(large)] == [
        (6, b"small\n"),
        (0, b""),
        (PIECE, large[:PIECE]),
    ]
    assert all(message.ByteSize() < 2 * 1024 * 1024 for message in received)
    limited = await blobs(daemon, repo, "main", bytes_limit=PIECE + 1)
    assert sum(len(blob.data) for blob in limited) == 6 + (PIECE + 1) + PIECE


async def test_the_limit_counts_blobs_not_pieces(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    large = b"x" * (3 * PIECE)
    repo.commit("x\n", {"a": large, "b": b"b\n", "c": b"c\n"}, ref="refs/heads/main")

    for fields in ({}, {"bytes_limit": -1}, {"bytes_limit": 2, "with_paths": True}):
        for limit, expected in ((1, [large]), (2, [large, b"b\n"]), (3, [large, b"b\n", b"c\n"]), (4, None)):
            listed = await blobs(daemon, repo, "main", limit=limit, **fields)
            wanted = [large, b"b\n", b"c\n"] if expected is None else expected
            assert [blob.oid for blob in listed if blob.oid] == [repo.blob(data) for data in wanted]
            if fields == {"bytes_limit": -1}:
                assert b"".join(blob.data for blob in listed) == b"".join(wanted)


async def test_thousands_of_blobs_arrive_whole_and_in_order(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    data = b"".join(b"blob\nmark :%d\ndata 6\n%05d\n\n" % (n + 1, n) for n in range(6000))
    names = b"".join(
        b"M 100644 :%d d%02d/%s%05d\n" % (n + 1, n // 100, b"n" * (n % 90), n) for n in range(6000)
    )
    commit = b"commit refs/heads/main\ncommitter C <c@x> 1 +0000\ndata 1\nm\n"
    repo.git("fast-import", "--quiet", stdin=data + commit + names)
    expected = rev_list(repo, "main")

    assert len(expected) == 6000
    assert await found(daemon, repo, "main") == expected
    assert await found(daemon, repo, "main", limit=5000) == expected[:5000]
    contents = await blobs(daemon, repo, "main", bytes_limit=-1)
    assert [blob.oid for blob in contents] == [each.oid for each in expected]
    assert sorted(blob.data for blob in contents) == [b"%05d\n" % n for n in range(6000)]


async def test_many_long_paths_do_not_make_messages_too_large(daemon: Daemon, repo: Repo) -> None:
    folder = "/".join(["x" * 250] * 80)
    repo.commit("x\n", {f"{folder}/{number}": b"%d" % number for number in range(300)}, ref="refs/heads/main")

    received = await messages(daemon, repo, "main", with_paths=True)

    assert [blob.path for message in received for blob in message.blobs] == [
        each.path for each in rev_list(repo, "main")
    ]
    assert all(message.ByteSize() < 2 * 1024 * 1024 for message in received)


async def test_more_revisions_than_a_command_line_holds_are_walked(daemon: Daemon, repo: Repo) -> None:
    commits = repo.history(2, ref="refs/heads/main")
    repo.ref("refs/tags/old", commits[0])

    listed = await blobs(daemon, repo, *[commits[1]] * 60_000, "--not", "--tags")

    assert [blob.oid for blob in listed] == [repo.blob(b"1\n")]


async def test_nothing_found_is_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await messages(daemon, any_format_repo, "--all", bytes_limit=-1) == []
    commit = any_format_repo.commit("empty\n", {})
    assert await messages(daemon, any_format_repo, commit, with_paths=True) == []
    assert await messages(daemon, any_format_repo, "--branches", "--not", "--all") == []


async def test_replace_references_are_ignored(daemon: Daemon, repo: Repo) -> None:
    right, other = repo.blob(b"right\n"), repo.blob(b"other\n")
    repo.commit("x\n", {"file": b"right\n"}, ref="refs/heads/main")
    repo.ref(f"refs/replace/{right}", other)

    assert [blob.data for blob in await blobs(daemon, repo, "main", bytes_limit=-1)] == [b"right\n"]


@pytest.mark.parametrize(
    ("revisions", "text"),
    [
        ([], "missing revisions"),
        (["main", ""], "invalid revision: empty revision"),
        (["-main"], "invalid revision: revision can't start with '-'"),
        (["--remotes"], "invalid revision: revision can't start with '-'"),
        (["--glob"], "invalid revision: revision can't start with '-'"),
        (["main", "--not", "ma in"], "invalid revision: revision can't contain whitespace"),
        (["ma\0in"], "invalid revision: revision can't contain NUL"),
        ([":file"], "invalid revision: empty revision"),
        (["ma\\in:file"], "invalid revision: revision can't contain '\\'"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revisions: list[str], text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await messages(daemon, repo, *revisions)


async def test_what_git_cannot_resolve_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.history(1, ref="refs/heads/main")
    absent = "1" * repo.format.hex_length
    for fields in ({}, {"with_paths": True}, {"bytes_limit": -1}):
        async with refused(StatusCode.INTERNAL, FAILED + "\"fatal: bad revision 'nope'\\n\""):
            await messages(daemon, repo, "main", "nope", **fields)
        async with refused(StatusCode.INTERNAL, FAILED + f'"fatal: bad object {absent}\\n"'):
            await messages(daemon, repo, absent, **fields)


async def test_a_missing_blob_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    gone = "1" * repo.format.hex_length
    repo.commit("x\n", tree=repo.raw_tree([("100644", b"gone", gone)]), ref="refs/heads/main")
    text = FAILED + f"\"fatal: missing blob object '{gone}'\\n\""

    async with refused(StatusCode.INTERNAL, text):
        await messages(daemon, repo, "main")


async def test_a_corrupt_blob_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.commit("x\n", {"file": b"content\n" * 100}, ref="refs/heads/main")
    oid = repo.blob(b"content\n" * 100)
    path = os.path.join(repo.git_dir, "objects", oid[:2], oid[2:])
    with open(path, "r+b") as file:
        file.truncate(20)

    async with refused(StatusCode.INTERNAL):
        await messages(daemon, repo, "main", bytes_limit=-1)


async def test_a_quarantine_hides_and_alternates_show(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", {"file": b"outside\n"}, ref="refs/heads/main")
    quarantine = os.path.join(repo.path, "incoming")
    os.mkdir(quarantine)
    inside = repo.git(
        "hash-object", "-w", "--stdin", stdin=b"inside\n", env={"GIT_OBJECT_DIRECTORY": quarantine}
    )
    async with refused(StatusCode.INTERNAL, FAILED + f'"fatal: bad object {inside}\\n"'):
        await messages(daemon, repo, inside)
    repo.message.git_object_directory = "incoming"
    assert [blob.oid for blob in await blobs(daemon, repo, inside)] == [inside]
    repo.message.git_alternate_object_directories.append("objects")
    assert [blob.oid for blob in await blobs(daemon, repo, inside, "main")] == [
        inside,
        repo.blob(b"outside\n"),
    ]
