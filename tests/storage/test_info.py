"""The facts of RepositoryInfo (repository.md part B)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gitaly_py.storage import errors
from gitaly_py.storage.creation import creating
from gitaly_py.storage.headers import BitmapInfo, CommitGraphInfo
from gitaly_py.storage.info import AlternatesInfo, ObjectsInfo, ReferencesInfo, repository_info
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.sizes import scan_size
from tests.support.repositories import Repo


def sizes(repo: Repo, pattern: str) -> int:
    return sum(path.stat().st_size for path in Path(repo.path, "objects/pack").glob(pattern))


def touch(path: str, *, age: float = 0) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(b"12345")
    moment = time.time() - age
    os.utime(path, (moment, moment))


async def test_a_fresh_repository_has_no_facts_but_its_birth(storages: Storages) -> None:
    target = storages.repository("default", "new.git", existing=False)
    async with creating(target):
        pass

    info = await repository_info(target)

    assert info.objects == ObjectsInfo()
    assert info.references == ReferencesInfo("files", 0, 0)
    assert info.size == scan_size(target.path)
    assert info.last_full_repack is not None
    assert abs(info.last_full_repack - time.time()) < 60
    assert info.commit_graph is info.bitmap is info.multi_pack_index is info.multi_pack_index_bitmap is None
    assert info.alternates is None
    assert not info.is_object_pool


async def test_loose_objects_are_counted_by_age_and_name(repository: Repository, repo: Repo) -> None:
    for number in range(3):
        touch(f"{repo.path}/objects/ab/{number}", age=0)
    touch(f"{repo.path}/objects/00/deadbeef", age=11 * 24 * 3600)
    touch(f"{repo.path}/objects/ff/tmp_obj_x", age=11 * 24 * 3600)
    touch(f"{repo.path}/objects/other/aa")

    objects = (await repository_info(repository)).objects

    assert (objects.loose_objects_count, objects.loose_size) == (4, 20)
    assert (objects.stale_loose_objects_count, objects.stale_size, objects.recent_size) == (1, 5, 15)
    assert objects.loose_objects_garbage_count == 1


async def test_packs_are_counted_by_kind(repository: Repository, repo: Repo) -> None:
    repo.commit(files={"file": b"1"}, ref="refs/heads/main")
    repo.git("-c", "pack.writeReverseIndex=true", "repack", "-adbq")
    pack = next(Path(repo.path, "objects/pack").glob("*.pack"))
    for name, ending in (("kept", ".keep"), ("cruft", ".mtimes"), ("both", ".keep"), ("both", ".mtimes")):
        touch(f"{repo.path}/objects/pack/pack-{name}.pack")
        touch(f"{repo.path}/objects/pack/pack-{name}{ending}")
    touch(f"{repo.path}/objects/pack/tmp_pack_1")

    info = await repository_info(repository)

    assert info.objects.packfile_count == 4
    assert info.objects.pack_size == pack.stat().st_size + 15
    assert (info.objects.keep_count, info.objects.keep_size) == (2, 10)
    assert (info.objects.cruft_count, info.objects.cruft_size) == (1, 5)
    assert info.objects.reverse_index_count == 1
    assert info.objects.size == info.objects.pack_size
    assert info.bitmap == BitmapInfo(has_hash_cache=True, has_lookup_table=False, version=1)


async def test_references_are_counted_as_files(repository: Repository, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")
    repo.git("pack-refs", "--all")
    repo.ref("refs/heads/loose", oid)
    touch(f"{repo.path}/refs/heads/x.lock")

    references = (await repository_info(repository)).references

    assert references == ReferencesInfo("files", 2, os.path.getsize(f"{repo.path}/packed-refs"))


async def test_a_commit_graph_is_described_whole_or_in_a_chain(repository: Repository, repo: Repo) -> None:
    repo.history(3, "refs/heads/main")
    repo.git("commit-graph", "write", "--reachable", "--changed-paths")
    assert (await repository_info(repository)).commit_graph == CommitGraphInfo(0, True, True, False)

    repo.git("commit-graph", "write", "--reachable", "--split=replace")
    repo.history(2, "refs/heads/other")
    repo.git("commit-graph", "write", "--reachable", "--split=no-merge")
    graph = (await repository_info(repository)).commit_graph
    assert graph is not None
    assert graph.commit_graph_chain_length == 2


async def test_a_multi_pack_index_is_described(repository: Repository, repo: Repo) -> None:
    for number in range(2):
        repo.history(number + 1, f"refs/heads/{number}")
        repo.git("repack", "-dq")
    repo.git("multi-pack-index", "write", "--bitmap")

    info = await repository_info(repository)

    assert info.multi_pack_index is not None
    assert (info.multi_pack_index.packfile_count, info.multi_pack_index.version) == (2, 1)
    assert info.multi_pack_index_bitmap is not None
    assert info.bitmap is None


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("info/commit-graph", b"XXXX\x01\x01\x00\x00", "invalid signature"),
        ("info/commit-graph", b"CGPH\x02\x01\x00\x00", "invalid version: 2"),
        ("info/commit-graph", b"CGPH", "unexpected EOF"),
        ("pack/multi-pack-index", b"MIDX\x03\x01\x00\x00\x00\x00\x00\x00", "invalid version: 3"),
        ("pack/multi-pack-index", b"MIDX\x01\x01\x00\x01\x00\x00\x00\x00", "unexpected base files: 1"),
        ("pack/pack-1.bitmap", b"BITM\x00\x02\x00\x00", "unsupported version: 2"),
        ("pack/pack-1.bitmap", b"MIDX\x00\x01\x00\x00", "invalid signature"),
    ],
)
async def test_a_damaged_header_is_an_error(
    repository: Repository, repo: Repo, name: str, data: bytes, text: str
) -> None:
    touch(f"{repo.path}/objects/{name}")
    with open(f"{repo.path}/objects/{name}", "wb") as file:
        file.write(data)

    with pytest.raises(errors.DamagedFile, match=text):
        await repository_info(repository)


async def test_a_linked_pool_adds_its_numbers(
    storages: Storages, repository: Repository, repo: Repo, root: Path
) -> None:
    pool = Repo.init(root / "pool.git")
    pool.history(3, "refs/heads/main")
    pool.git("repack", "-adbq")
    repo.history(1, "refs/heads/main")
    repo.git("repack", "-adbq")
    alone = await repository_info(repository)
    alternates = Path(repo.path, "objects/info/alternates")
    with open(alternates, "w") as file:
        file.write("../../../pool.git/objects")
    modified = int(os.path.getmtime(alternates))

    linked = await repository_info(repository)
    pools = await repository_info(storages.repository("default", "pool.git"))

    assert linked.alternates == AlternatesInfo(("../../../pool.git/objects",), modified)
    assert linked.size == scan_size(repo.path) + pools.size
    assert linked.objects == alone.objects + pools.objects
    assert linked.bitmap == pools.bitmap
    assert linked.references == alone.references


async def test_a_missing_pool_is_not_found(repository: Repository, repo: Repo) -> None:
    with open(f"{repo.path}/objects/info/alternates", "w") as file:
        file.write("../../../gone.git/objects\n")

    with pytest.raises(errors.RepositoryNotFound):
        await repository_info(repository)
