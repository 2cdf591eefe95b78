"""RepositoryInfo (repository.md)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import RepositoryInfoRequest, RepositoryInfoResponse
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.status import refused

References = RepositoryInfoResponse.ReferencesInfo
Objects = RepositoryInfoResponse.ObjectsInfo
STALE_SECONDS = 11 * 24 * 3600


async def info(stub: RepositoryServiceStub, repo: Repo) -> RepositoryInfoResponse:
    return await stub.RepositoryInfo(RepositoryInfoRequest(repository=repo.message))


def size_of(*paths: str | Path) -> int:
    """Bytes of all files at or below `paths`."""
    files = [file for path in map(Path, paths) for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def below(repo: Repo, *patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in sorted(Path(repo.path).glob(pattern))]


async def test_an_empty_repository_has_its_files_and_nothing_else(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    found = await info(repositories, any_format_repo)

    assert found == RepositoryInfoResponse(
        size=size_of(any_format_repo.path),
        references=References(reference_backend=References.REFERENCE_BACKEND_FILES),
        objects=Objects(),
    )
    assert found.HasField("objects")


async def test_loose_references_and_the_packed_file_are_told_apart(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    oid = repo.commit(ref="refs/heads/packed")
    repo.git("pack-refs", "--all")
    repo.ref("refs/heads/loose", oid)
    repo.ref("refs/tags/deep/loose", oid)
    Path(repo.path, "refs/heads/other.lock").touch()
    Path(repo.path, "refs/heads/link").symlink_to("../tags")

    references = (await info(repositories, repo)).references

    assert references.loose_count == 4
    assert references.packed_size == size_of(Path(repo.path, "packed-refs")) > 0


async def test_loose_objects_are_recent_stale_or_garbage(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    old, new = any_format_repo.blob(b"old" * 100), any_format_repo.blob(b"new")
    stale = Path(any_format_repo.path, "objects", old[:2], old[2:])
    long_ago = time.time() - STALE_SECONDS
    os.utime(stale, (long_ago, long_ago))
    Path(any_format_repo.path, "objects", new[:2], "tmp_obj_x").write_bytes(b"garbage")

    objects = (await info(repositories, any_format_repo)).objects

    recent = size_of(Path(any_format_repo.path, "objects", new[:2], new[2:]))
    assert objects == Objects(
        size=recent + size_of(stale),
        recent_size=recent,
        stale_size=size_of(stale),
        loose_objects_count=2,
        stale_loose_objects_count=1,
        loose_objects_garbage_count=1,
    )


async def test_packs_are_counted_by_their_kind(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.history(3, "refs/heads/main")
    repo.git("-c", "pack.writeReverseIndex=true", "repack", "-ad")
    (pack,) = below(repo, "objects/pack/*.pack")
    for suffix, companion in (("1" * 40, "keep"), ("2" * 40, "mtimes")):
        copy = pack.with_name(f"pack-{suffix}.pack")
        copy.write_bytes(pack.read_bytes())
        copy.with_suffix(f".{companion}").touch()
    pack.with_name("tmp_pack_x").write_bytes(b"garbage")

    objects = (await info(repositories, repo)).objects

    size = size_of(pack)
    loose = objects.loose_objects_count
    assert (objects.packfile_count, objects.keep_count, objects.cruft_count) == (3, 1, 1)
    assert (objects.keep_size, objects.stale_size, objects.size) == (size, size, 3 * size)
    assert (objects.recent_size, objects.reverse_index_count, loose) == (2 * size, 1, 0)


async def test_a_single_commit_graph_is_described(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    any_format_repo.history(3, "refs/heads/main")
    assert not (await info(repositories, any_format_repo)).HasField("commit_graph")

    any_format_repo.git("commit-graph", "write", "--reachable", "--changed-paths")

    assert (await info(repositories, any_format_repo)).commit_graph == RepositoryInfoResponse.CommitGraphInfo(
        has_bloom_filters=True, has_generation_data=True
    )


async def test_a_chain_of_commit_graphs_has_a_length(repositories: RepositoryServiceStub, repo: Repo) -> None:
    first, *_ = repo.history(5, "refs/heads/main")
    repo.git("commit-graph", "write", "--stdin-commits", "--split", stdin=first + "\n")
    repo.git("commit-graph", "write", "--reachable", "--split=no-merge")

    graph = (await info(repositories, repo)).commit_graph

    assert graph.commit_graph_chain_length == 2
    assert not graph.has_bloom_filters


async def test_a_foreign_commit_graph_is_an_error(repositories: RepositoryServiceStub, repo: Repo) -> None:
    Path(repo.path, "objects/info").mkdir(exist_ok=True)
    path = Path(repo.path, "objects/info/commit-graph")
    path.write_bytes(b"XXXX\1\1\0\0" + bytes(12))

    async with refused(StatusCode.INTERNAL, f"{path}: invalid signature: 'XXXX'"):
        await info(repositories, repo)


async def test_a_bitmap_and_a_multi_pack_index_are_described(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.history(3, "refs/heads/main")
    repo.git("-c", "pack.writeBitmapLookupTable=true", "repack", "-adb")

    found = await info(repositories, repo)
    assert found.bitmap == RepositoryInfoResponse.BitmapInfo(
        has_hash_cache=True, has_lookup_table=True, version=1
    )
    assert not found.HasField("multi_pack_index")

    repo.git("multi-pack-index", "write", "--bitmap")
    found = await info(repositories, repo)
    assert found.multi_pack_index.packfile_count == 1
    assert found.multi_pack_index.version == 1
    assert not found.multi_pack_index.has_large_offsets
    assert found.multi_pack_index_bitmap.has_hash_cache
    assert found.multi_pack_index_bitmap.version == 1


async def test_a_multi_pack_index_of_another_version_is_an_error(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    path = Path(repo.path, "objects/pack/multi-pack-index")
    path.write_bytes(b"MIDX\2\1\0\0" + bytes(16))

    async with refused(StatusCode.INTERNAL, f"{path}: invalid version: 2"):
        await info(repositories, repo)


async def test_alternates_are_given_as_written(
    repositories: RepositoryServiceStub, new_repo: NewRepo
) -> None:
    pool, member = new_repo(), new_repo()
    line = os.path.relpath(pool.path + "/objects", member.path + "/objects")
    alternates = Path(member.path, "objects/info/alternates")
    alternates.write_text(line)
    os.utime(alternates, (1_700_000_000.5, 1_700_000_000.5))

    found = (await info(repositories, member)).alternates

    assert list(found.object_directories) == [line]
    assert (found.last_modified.seconds, found.last_modified.nanos) == (1_700_000_000, 0)


async def test_what_is_borrowed_from_a_pool_is_added(
    repositories: RepositoryServiceStub, new_repo: NewRepo
) -> None:
    pool, member = new_repo(), new_repo()
    pool.history(3, "refs/heads/main")
    pool.git("repack", "-adb")
    member.blob(b"own")
    line = os.path.relpath(pool.path + "/objects", member.path + "/objects")
    Path(member.path, "objects/info/alternates").write_text(line)

    found = await info(repositories, member)

    own_objects = size_of(*below(member, "objects/??/*"))
    assert found.size == size_of(member.path) + size_of(pool.path)
    assert found.objects.size == own_objects + size_of(*below(pool, "objects/pack/*.pack"))
    assert (found.objects.packfile_count, found.objects.loose_objects_count) == (1, 1)
    assert found.HasField("bitmap")
    assert found.references.loose_count == 0


async def test_a_pool_that_is_gone_is_not_found(repositories: RepositoryServiceStub, repo: Repo) -> None:
    Path(repo.path, "objects/info").mkdir(exist_ok=True)
    Path(repo.path, "objects/info/alternates").write_text("../../gone.git/objects")

    async with refused(StatusCode.NOT_FOUND, "repository not found"):
        await info(repositories, repo)


async def test_the_last_full_repack_is_the_time_of_its_stamp(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    stamp = Path(repo.path, ".gitaly-full-repack-timestamp")
    stamp.touch()
    os.utime(stamp, (1_700_000_000.5, 1_700_000_000.5))

    found = (await info(repositories, repo)).last_full_repack

    assert (found.seconds, found.nanos) == (1_700_000_000, 0)


@pytest.mark.parametrize(
    ("relative_path", "is_pool"),
    [
        (f"@pools/ab/cd/abcd{'0' * 60}.git", True),
        ("@cluster/pools/12/34/5678", True),
        (f"@hashed/ab/cd/abcd{'0' * 60}.git", False),
        (f"@pools/ab/cd/dcba{'0' * 60}.git", False),
    ],
)
async def test_a_pool_is_known_by_its_path(
    repositories: RepositoryServiceStub, daemon: Daemon, relative_path: str, is_pool: bool
) -> None:
    repo = Repo.init(daemon.storage / relative_path)
    repo.message = Repository(storage_name="default", relative_path=relative_path)

    assert (await info(repositories, repo)).is_object_pool is is_pool
