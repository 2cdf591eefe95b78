"""BlobService/GetBlob (ref-blob.md 6.1)."""

from __future__ import annotations

import os

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import GetBlobRequest, GetBlobResponse
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

STREAM_BYTES = 128 * 1024
LARGE = bytes(range(256)) * 4096


async def blob(daemon: Daemon, repo: Repo, oid: str, limit: int = -1) -> list[GetBlobResponse]:
    request = GetBlobRequest(repository=repo.message, oid=oid, limit=limit)
    return await collect(daemon.stub(BlobServiceStub).GetBlob(request))


@pytest.mark.parametrize("data", [b"", b"x", b"\0\xff" * 50, LARGE[:STREAM_BYTES]], ids=len)
async def test_a_small_blob_is_one_message(daemon: Daemon, any_format_repo: Repo, data: bytes) -> None:
    oid = any_format_repo.blob(data)

    assert await blob(daemon, any_format_repo, oid) == [GetBlobResponse(oid=oid, size=len(data), data=data)]


@pytest.mark.parametrize("limit", [-1, 1, STREAM_BYTES, STREAM_BYTES + 1, len(LARGE), len(LARGE) + 1])
async def test_a_large_blob_comes_in_pieces_up_to_the_limit(
    daemon: Daemon, any_format_repo: Repo, limit: int
) -> None:
    oid = any_format_repo.blob(LARGE)

    first, *rest = await blob(daemon, any_format_repo, oid, limit)

    assert (first.oid, first.size) == (oid, len(LARGE))
    assert first.data + b"".join(message.data for message in rest) == (LARGE if limit < 0 else LARGE[:limit])
    assert all(message == GetBlobResponse(data=message.data) and message.data for message in rest)
    assert all(len(message.data) <= STREAM_BYTES for message in (first, *rest))


async def test_a_limit_of_nothing_gives_the_size(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.blob(LARGE)

    assert await blob(daemon, any_format_repo, oid, 0) == [GetBlobResponse(oid=oid, size=len(LARGE))]


async def test_any_revision_of_a_blob_will_do(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.blob(b"content")
    repo.commit("x\n", {"dir/file": b"content"}, ref="refs/heads/main")
    repo.ref("refs/tags/blob", oid)

    for revision in (oid[:12], oid.upper(), "main:dir/file", "HEAD:dir/file", "blob"):
        assert await blob(daemon, repo, revision) == [GetBlobResponse(oid=oid, size=7, data=b"content")]


async def test_what_is_no_blob_is_one_empty_message(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commit = repo.commit("x\n", {"file": b"x"}, ref="refs/heads/main")

    for oid in (
        "doesnotexist",
        "f" * len(commit),
        commit,
        "main^{tree}",
        "main:nope",
        "-x",
        "--batch",
        "a b\nc",
    ):
        assert await blob(daemon, repo, oid) == [GetBlobResponse()], oid


async def test_bad_ids_are_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "empty Oid"):
        await blob(daemon, repo, "")
    async with refused(StatusCode.INVALID_ARGUMENT, "revision must not contain NUL bytes"):
        await blob(daemon, repo, "ma\0in")


async def test_an_ambiguous_id_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    found: dict[str, str] = {}
    number = 0
    while (short := (oid := any_format_repo.blob(b"%d" % number))[:4]) not in found:
        found[short] = oid
        number += 1

    async with refused(StatusCode.INTERNAL, f'invalid info line: "{short} ambiguous"'):
        await blob(daemon, any_format_repo, short)


async def test_a_corrupt_blob_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.blob(LARGE)
    with open(os.path.join(any_format_repo.git_dir, "objects", oid[:2], oid[2:]), "r+b") as file:
        file.truncate(200)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await blob(daemon, any_format_repo, oid)
    assert raised.value.code() == StatusCode.INTERNAL
    assert (raised.value.details() or "").startswith("send: ")


async def test_a_quarantine_shows_its_objects(daemon: Daemon, repo: Repo) -> None:
    quarantine = os.path.join(repo.path, "incoming")
    os.mkdir(quarantine)
    outside = repo.blob(b"outside")
    inside = repo.git(
        "hash-object", "-w", "--stdin", stdin=b"inside", env={"GIT_OBJECT_DIRECTORY": quarantine}
    )
    repo.message.git_object_directory = "incoming"

    assert await blob(daemon, repo, inside) == [GetBlobResponse(oid=inside, size=6, data=b"inside")]
    assert await blob(daemon, repo, outside) == [GetBlobResponse()]
    repo.message.git_alternate_object_directories.append("objects")
    assert (await blob(daemon, repo, outside))[0].data == b"outside"
