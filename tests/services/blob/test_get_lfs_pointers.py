"""BlobService/GetLFSPointers (ref-blob.md 6.6)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import GetLFSPointersRequest, LFSPointer
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from tests.support.blobs import pointer
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

OVERHEAD = len(pointer(1))


async def pointers(daemon: Daemon, repo: Repo, *blob_ids: str) -> list[LFSPointer]:
    request = GetLFSPointersRequest(repository=repo.message, blob_ids=blob_ids)
    messages = await collect(daemon.stub(BlobServiceStub).GetLFSPointers(request))
    assert all(message.lfs_pointers for message in messages)
    return [found for message in messages for found in message.lfs_pointers]


def expected(repo: Repo, number: int, data: bytes) -> LFSPointer:
    return LFSPointer(
        size=len(data), data=data, oid=repo.blob(data), file_size=number, file_oid=b"%064x" % number
    )


async def test_pointers_come_in_the_order_of_the_request_and_repeat(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    first, second = repo.blob(pointer(1)), repo.blob(pointer(2))

    found = await pointers(daemon, repo, second, first, second)

    assert found == [expected(repo, number, pointer(number)) for number in (2, 1, 2)]


async def test_what_is_no_pointer_is_skipped(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    largest = pointer(3, padding=200 - OVERHEAD)
    too_large = pointer(3, padding=201 - OVERHEAD)
    commit = repo.commit("x\n", {"file": pointer(1)}, ref="refs/heads/main")
    tag = repo.tag("v1", commit)
    tree = repo.git("rev-parse", "main^{tree}")
    ids = [commit, tree, tag, repo.blob(b"plain\n"), repo.blob(too_large), repo.blob(largest), repo.blob(b"")]

    assert len(largest) == 200
    assert await pointers(daemon, repo, *ids) == [expected(repo, 3, largest)]


async def test_any_revision_of_a_blob_will_do(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.commit("x\n", {"dir/file": pointer(1)}, ref="refs/heads/main")
    oid = repo.blob(pointer(1))
    repo.ref("refs/tags/pointer", oid)

    found = await pointers(daemon, repo, oid[:12], oid.upper(), "main:dir/file", "pointer")

    assert found == [expected(repo, 1, pointer(1))] * 4


async def test_many_ids_are_answered(daemon: Daemon, any_format_repo: Repo) -> None:
    ids = [any_format_repo.blob(pointer(number)) for number in range(1, 700)]

    assert [found.oid for found in await pointers(daemon, any_format_repo, *ids)] == ids


async def test_no_pointer_is_no_message(daemon: Daemon, repo: Repo) -> None:
    assert await pointers(daemon, repo, repo.blob(b"plain\n")) == []


@pytest.mark.parametrize("blob_id", ["f" * 40, "nope", "", "-x", "a b\nc"])
async def test_a_missing_object_is_an_error(daemon: Daemon, any_format_repo: Repo, blob_id: str) -> None:
    repo = any_format_repo
    blob_id = "f" * repo.format.hex_length if blob_id.startswith("f") else blob_id
    shown = blob_id.replace("\n", "\\n")

    async with refused(StatusCode.INTERNAL, f'retrieving object info for "{shown}": object not found'):
        await pointers(daemon, repo, repo.blob(pointer(1)), blob_id)


async def test_bad_requests_are_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "empty BlobIds"):
        await pointers(daemon, repo)
    text = 'retrieving object info for "ma\\x00in": revision must not contain NUL bytes'
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await pointers(daemon, repo, "ma\0in")
