"""BlobService/ListAllBlobs (ref-blob.md 6.4)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import ListAllBlobsRequest, ListAllBlobsResponse
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from tests.support.blobs import eventful
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Blob = ListAllBlobsResponse.Blob
PIECE = 128 * 1024


async def blobs(daemon: Daemon, repo: Repo, **fields: Any) -> list[Blob]:
    request = ListAllBlobsRequest(repository=repo.message, **fields)
    messages = await collect(daemon.stub(BlobServiceStub).ListAllBlobs(request))
    assert all(message.blobs for message in messages)
    return [blob for message in messages for blob in message.blobs]


def stored(repo: Repo) -> dict[str, bytes]:
    """Every blob of the object store by its id."""
    output = repo.git("cat-file", "--batch-check=%(objectname) %(objecttype)", "--batch-all-objects")
    oids = [line.split()[0] for line in output.splitlines() if line.endswith("blob")]
    return {oid: repo.git_bytes("cat-file", "blob", oid) for oid in oids}


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "both"])
async def test_every_blob_is_listed_once_reachable_or_not(
    daemon: Daemon, any_format_repo: Repo, packed: bool
) -> None:
    repo = any_format_repo
    eventful(repo)
    repo.blob(b"dangling\n")
    if packed:
        # Without -d the loose objects stay, so everything is there twice.
        repo.git("repack", "-aq")
        repo.blob(b"loose\n")
    everything = stored(repo)

    for limit in (0, 3, -1):
        listed = await blobs(daemon, repo, bytes_limit=limit)
        assert sorted(listed, key=lambda blob: blob.oid) == [
            Blob(oid=oid, size=len(data), data=data if limit < 0 else data[:limit])
            for oid, data in sorted(everything.items())
        ]


async def test_the_limit_counts_blobs_not_pieces(daemon: Daemon, any_format_repo: Repo) -> None:
    for number in range(4):
        any_format_repo.blob(b"%d" % number * (2 * PIECE + 1))

    for fields in ({}, {"bytes_limit": -1}):
        for limit in (1, 3, 4, 9):
            listed = await blobs(daemon, any_format_repo, limit=limit, **fields)
            assert len({blob.oid for blob in listed if blob.oid}) == min(limit, 4)
            assert all(len(blob.data) <= PIECE for blob in listed)
            if fields:
                assert sum(len(blob.data) for blob in listed) == min(limit, 4) * (2 * PIECE + 1)


async def test_an_empty_repository_has_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await blobs(daemon, any_format_repo) == []
    any_format_repo.commit("no blob\n", {})
    assert await blobs(daemon, any_format_repo, bytes_limit=-1) == []


async def test_a_pools_blobs_are_among_them(daemon: Daemon, new_repo: NewRepo) -> None:
    pool, repo = new_repo(), new_repo()
    shared, own = pool.blob(b"shared\n"), repo.blob(b"own\n")
    repo.blob(b"shared\n")
    Path(repo.git_dir, "objects/info").mkdir(exist_ok=True)
    Path(repo.git_dir, "objects/info/alternates").write_text(f"{pool.git_dir}/objects\n")

    assert sorted(blob.oid for blob in await blobs(daemon, repo)) == sorted([shared, own])


async def test_a_quarantine_is_all_there_is_without_alternates(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    outside = repo.blob(b"outside\n")
    quarantine = os.path.join(repo.path, "incoming")
    os.mkdir(quarantine)
    repo.message.git_object_directory = "incoming"
    assert await blobs(daemon, repo, bytes_limit=-1) == []

    environment = {"GIT_OBJECT_DIRECTORY": quarantine}
    inside = repo.git("hash-object", "-w", "--stdin", stdin=b"inside\n", env=environment)
    assert await blobs(daemon, repo, bytes_limit=-1) == [Blob(oid=inside, size=7, data=b"inside\n")]
    assert await blobs(daemon, repo) == [Blob(oid=inside, size=7)]

    repo.message.git_alternate_object_directories.append("objects")
    assert {blob.oid for blob in await blobs(daemon, repo)} == {inside, outside}


async def test_thousands_of_blobs_arrive_whole(daemon: Daemon, repo: Repo) -> None:
    repo.git("fast-import", "--quiet", stdin=b"".join(b"blob\ndata 5\n%05d\n" % n for n in range(9000)))

    for limit in (0, -1):
        listed = await blobs(daemon, repo, bytes_limit=limit)
        assert len({blob.oid for blob in listed}) == len(listed) == 9000
        assert {blob.data for blob in listed} == ({b"%05d" % n for n in range(9000)} if limit else {b""})


async def test_a_corrupt_object_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.blob(b"content\n" * 100)
    with open(os.path.join(any_format_repo.git_dir, "objects", oid[:2], oid[2:]), "r+b") as file:
        file.truncate(20)

    async with refused(StatusCode.INTERNAL):
        await blobs(daemon, any_format_repo, bytes_limit=-1)
