"""CommitService/TreeEntry (commit.md 3.3)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import TreeEntryRequest, TreeEntryResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

STREAM_BYTES = 128 * 1024


async def entry(
    daemon: Daemon, repo: Repo, path: bytes, revision: bytes = b"main", **fields: Any
) -> list[TreeEntryResponse]:
    request = TreeEntryRequest(repository=repo.message, revision=revision, path=path, **fields)
    return await collect(daemon.stub(CommitServiceStub).TreeEntry(request))


def filled(repo: Repo) -> Repo:
    repo.commit(
        "x\n",
        {
            "file": b"0123456789",
            "dir/run": ("100755", b"#!"),
            "dir/link": ("120000", b"../file"),
            "dir/sub": ("160000", "1" * repo.format.hex_length),
            "dir/deep/empty": b"",
            b"odd\xff/\n:x": b"odd",
        },
        ref="refs/heads/main",
    )
    return repo


@pytest.mark.parametrize(
    ("path", "mode", "data"),
    [
        (b"file", 0o100644, b"0123456789"),
        (b"dir/run", 0o100755, b"#!"),
        (b"dir/link", 0o120000, b"../file"),
        (b"dir/deep/empty", 0o100644, b""),
        (b"odd\xff/\n:x", 0o100644, b"odd"),
        (b"file///", 0o100644, b"0123456789"),
    ],
)
async def test_a_blob_is_one_message_when_it_is_small(
    daemon: Daemon, any_format_repo: Repo, path: bytes, mode: int, data: bytes
) -> None:
    repo = filled(any_format_repo)

    assert await entry(daemon, repo, path) == [
        TreeEntryResponse(
            type=TreeEntryResponse.BLOB, oid=repo.blob(data), size=len(data), mode=mode, data=data
        )
    ]


async def test_a_tree_has_a_size_and_no_data(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    oid = repo.git("rev-parse", "main:dir")
    size = int(repo.git("cat-file", "-s", oid))

    for path in (b"dir", b"dir/"):
        assert await entry(daemon, repo, path) == [
            TreeEntryResponse(type=TreeEntryResponse.TREE, oid=oid, size=size, mode=0o40000)
        ]


async def test_a_submodule_is_not_looked_up(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)

    assert await entry(daemon, repo, b"dir/sub") == [
        TreeEntryResponse(type=TreeEntryResponse.COMMIT, oid="1" * repo.format.hex_length, mode=0o160000)
    ]


async def test_any_treeish_is_a_revision(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    repo.tag("v1", repo.git("rev-parse", "main"))

    for revision in (b"HEAD", b"v1", repo.git("rev-parse", "main^{tree}").encode(), b"main^{tree}"):
        [message] = await entry(daemon, repo, b"dir/run", revision)
        assert message.data == b"#!"


@pytest.mark.parametrize(
    "path",
    [
        b"nope",
        b"./file",
        b"dir//run",
        b"/file",
        b".",
        b"..",
        b"/",
        b"//",
        b"../file",
        b"dir/../file",
        b"file/x",
        b"dir/sub/x",
    ],
)
async def test_only_plain_paths_of_entries_are_found(
    daemon: Daemon, any_format_repo: Repo, path: bytes
) -> None:
    async with refused(StatusCode.NOT_FOUND, "tree entry not found"):
        await entry(daemon, filled(any_format_repo), path)


@pytest.mark.parametrize("revision", [b"nope", b"f" * 40, b"main..main"])
async def test_nothing_is_found_in_what_does_not_exist(daemon: Daemon, repo: Repo, revision: bytes) -> None:
    async with refused(StatusCode.NOT_FOUND, "tree entry not found"):
        await entry(daemon, filled(repo), b"file", revision)


@pytest.mark.parametrize("limit", [0, 1, STREAM_BYTES, STREAM_BYTES + 1, 700_000, 10_000_000])
async def test_a_large_blob_comes_in_pieces_up_to_the_limit(
    daemon: Daemon, any_format_repo: Repo, limit: int
) -> None:
    data = bytes(range(256)) * 4096
    any_format_repo.commit("x\n", {"large": data}, ref="refs/heads/main")

    first, *rest = await entry(daemon, any_format_repo, b"large", limit=limit)

    assert first.data + b"".join(message.data for message in rest) == (data[:limit] if limit else data)
    assert first.size == len(data)
    assert all(message == TreeEntryResponse(data=message.data) and message.data for message in rest)
    assert all(len(message.data) <= STREAM_BYTES for message in (first, *rest))


async def test_a_blob_beyond_max_size_is_refused_whatever_the_limit(daemon: Daemon, repo: Repo) -> None:
    filled(repo)

    assert len(await entry(daemon, repo, b"file", max_size=10)) == 1
    assert len(await entry(daemon, repo, b"dir", max_size=1)) == 1
    text = "object size (10) is bigger than the maximum allowed size (5)"
    async with refused(StatusCode.FAILED_PRECONDITION, text):
        await entry(daemon, repo, b"file", max_size=5, limit=2)


async def test_the_mode_is_the_stored_one(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    tree = repo.raw_tree([("100664", b"old", repo.blob(b"x")), ("040000", b"zero", repo.tree({}))])
    repo.commit("x\n", tree=tree, ref="refs/heads/main")

    [old] = await entry(daemon, repo, b"old")
    [zero] = await entry(daemon, repo, b"zero")

    assert (old.mode, old.type) == (0o100664, TreeEntryResponse.BLOB)
    assert (zero.mode, zero.type) == (0o40000, TreeEntryResponse.TREE)


async def test_an_entry_of_a_very_large_folder_is_found(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    blob = repo.blob(b"x")
    tree = repo.raw_tree([("100644", b"%05d" % number, blob) for number in range(4000)])
    repo.commit("x\n", tree=tree, ref="refs/heads/main")

    [message] = await entry(daemon, repo, b"03999")

    assert message.oid == blob


async def test_an_entry_whose_object_is_missing_or_another_is_an_error(daemon: Daemon, repo: Repo) -> None:
    tree = repo.raw_tree([("100644", b"gone", "1" * 40), ("100644", b"tree", repo.tree({}))])
    repo.commit("x\n", tree=tree, ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await entry(daemon, repo, b"gone")
    async with refused(StatusCode.INTERNAL, "mismatched object type: expected blob, got tree"):
        await entry(daemon, repo, b"tree")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"path": b"x", "revision": b""}, "empty revision"),
        ({"path": b"x", "revision": b"-x"}, "revision can't start with '-'"),
        ({"path": b""}, "empty Path"),
        ({"path": b"x", "limit": -1}, "negative Limit"),
        ({"path": b"x", "max_size": -1}, "negative MaxSize"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await entry(daemon, repo, **fields)
