"""BlobService/ListAllLFSPointers (ref-blob.md 6.8)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from gitaly_py.pb.blob_pb2 import LFSPointer, ListAllLFSPointersRequest
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from tests.support.blobs import pointer
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect

OVERHEAD = len(pointer(1))


async def pointers(daemon: Daemon, repo: Repo, **fields: Any) -> list[LFSPointer]:
    request = ListAllLFSPointersRequest(repository=repo.message, **fields)
    messages = await collect(daemon.stub(BlobServiceStub).ListAllLFSPointers(request))
    assert all(message.lfs_pointers for message in messages)
    return [found for message in messages for found in message.lfs_pointers]


async def sizes(daemon: Daemon, repo: Repo, **fields: Any) -> list[int]:
    return sorted(found.file_size for found in await pointers(daemon, repo, **fields))


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
async def test_every_pointer_is_listed_reachable_or_not(
    daemon: Daemon, any_format_repo: Repo, packed: bool
) -> None:
    repo = any_format_repo
    largest = pointer(3, padding=200 - OVERHEAD)
    too_large = pointer(4, padding=201 - OVERHEAD)
    files = {"a": pointer(1), "plain": b"plain\n", "large": largest, "larger": too_large, "same": pointer(1)}
    repo.commit("x\n", files, ref="refs/heads/main")
    if packed:
        repo.git("repack", "-adq")
    dangling = repo.blob(pointer(2))

    found = sorted(await pointers(daemon, repo), key=lambda each: each.file_size)

    assert [each.file_size for each in found] == [1, 2, 3]
    assert found[1] == LFSPointer(
        size=OVERHEAD, data=pointer(2), oid=dangling, file_size=2, file_oid=b"%064x" % 2
    )
    assert (found[2].size, found[2].data) == (200, largest)


async def test_the_limit_counts_pointers(daemon: Daemon, any_format_repo: Repo) -> None:
    for number in range(1, 6):
        any_format_repo.blob(pointer(number))
        any_format_repo.blob(b"plain %d\n" % number)

    for limit, count in ((1, 1), (4, 4), (5, 5), (6, 5), (0, 5), (-3, 5)):
        assert len(set(await sizes(daemon, any_format_repo, limit=limit))) == count


async def test_a_quarantine_is_all_there_is_without_alternates(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.blob(pointer(1))
    quarantine = os.path.join(repo.path, "incoming")
    os.mkdir(quarantine)
    repo.message.git_object_directory = "incoming"
    assert await sizes(daemon, repo) == []

    repo.git("hash-object", "-w", "--stdin", stdin=pointer(2), env={"GIT_OBJECT_DIRECTORY": quarantine})
    assert await sizes(daemon, repo) == [2]

    repo.message.git_alternate_object_directories.append("objects")
    assert await sizes(daemon, repo) == [1, 2]


async def test_nothing_found_is_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await pointers(daemon, any_format_repo) == []
    any_format_repo.commit("x\n", {"file": b"x\n"}, ref="refs/heads/main")
    assert await pointers(daemon, any_format_repo) == []
