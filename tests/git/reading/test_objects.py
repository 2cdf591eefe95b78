"""Reading objects, by every kind of reader."""

from __future__ import annotations

import dataclasses
import os
import random
import zlib
from contextlib import aclosing
from pathlib import Path

import pytest

from gitaly_py.git.reading.errors import ObjectNotFound, ObjectTooLarge, ObjectUnreadable
from gitaly_py.git.reading.interface import LARGEST_READ, GitObject, ObjectInfo, Reader
from tests.git.reading.conftest import OpenReader
from tests.support.repositories import Repo


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def all_of(reader: Reader, oid: str, limit: int = -1) -> bytes:
    return b"".join([piece async for piece in reader.content(oid, limit)])


def overwrite(repo: Repo, oid: str, data: bytes) -> None:
    Path(repo.path, "objects", oid[:2], oid[2:]).write_bytes(data)


def link(member: Repo, text: str) -> None:
    Path(member.path, "objects/info/alternates").write_text(text)


async def test_objects_of_every_type_are_read_raw(reader: Reader, repo: Repo) -> None:
    commit = repo.commit("subject\n", {"file": b"\0\nbytes\xff"}, ref="refs/heads/main")
    tag = repo.tag("v1", commit)
    oids = [commit, tag, repo.git("rev-parse", "main^{tree}"), repo.git("rev-parse", "main:file")]

    for oid in oids:
        kind = repo.git("cat-file", "-t", oid)
        data = repo.git_bytes("cat-file", kind, oid)
        assert await reader.read(oid.encode()) == GitObject(oid, kind, data)
        assert await reader.info(oid.encode()) == ObjectInfo(oid, kind, len(data))


async def test_a_thousand_objects_come_in_the_order_asked(reader: Reader, repo: Repo) -> None:
    blobs = [repo.blob(b"%d\n" % number) for number in range(1000)]
    missing = "2" * repo.format.hex_length

    found = [each async for each in reader.read_each(oid.encode() for oid in [*blobs, missing, *blobs])]

    assert [each and each.oid for each in found] == [*blobs, None, *blobs]
    assert found[7].data == b"7\n"


async def test_stopping_early_leaves_the_reader_usable(reader: Reader, repo: Repo) -> None:
    blobs = [repo.blob(noise(5000 + number)) for number in range(50)]

    async with aclosing(reader.read_each([oid.encode() for oid in blobs])) as found:
        async for _ in found:
            break

    assert (await reader.read(blobs[3].encode())).data == noise(5003)


async def test_the_empty_tree_needs_not_exist(reader: Reader, repo: Repo) -> None:
    empty = repo.format.empty_tree
    commit = repo.object(
        "commit", b"tree %s\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\n" % empty.encode()
    )

    assert await reader.read(empty.encode()) == GitObject(empty, "tree", b"")
    assert await reader.info(commit.encode() + b"^{tree}") == ObjectInfo(empty, "tree", 0)
    assert await reader.resolve(commit.encode() + b":") == empty


@pytest.mark.parametrize("size", [0, 10, 600 << 10, 3 << 20])
@pytest.mark.parametrize("limit", [-1, 0, 4, 700 << 10])
async def test_content_is_cut_at_the_limit(reader: Reader, repo: Repo, size: int, limit: int) -> None:
    oid = repo.blob(noise(size))

    assert await all_of(reader, oid, limit) == (noise(size) if limit < 0 else noise(size)[:limit])


async def test_content_of_a_missing_object_is_an_error(reader: Reader, repo: Repo) -> None:
    with pytest.raises(ObjectNotFound, match="object not found"):
        await all_of(reader, "3" * repo.format.hex_length)


async def test_an_object_beyond_the_limit_is_not_loaded_but_streamed(reader: Reader, repo: Repo) -> None:
    size = LARGEST_READ + 1
    oid = repo.git("hash-object", "-w", "--stdin", stdin=bytes(size))

    with pytest.raises(ObjectTooLarge) as refused:
        await reader.read(oid.encode())

    assert (refused.value.oid, refused.value.size) == (oid, size)
    assert await reader.info(oid.encode()) == ObjectInfo(oid, "blob", size)
    async with aclosing(reader.content(oid)) as pieces:
        async for piece in pieces:
            assert len(piece) <= 128 << 10
            break
    assert (await reader.info(oid.encode())).size == size


async def test_a_truncated_object_is_unreadable_and_garbage_is_missing(reader: Reader, repo: Repo) -> None:
    whole, truncated, garbage = repo.blob(b"whole"), repo.blob(noise(9000)), repo.blob(b"x")
    overwrite(repo, truncated, zlib.compress(b"blob 9000\0" + noise(9000))[:4000])
    overwrite(repo, garbage, b"garbage")

    with pytest.raises(ObjectUnreadable, match=truncated):
        await reader.read(truncated.encode())
    assert await reader.read(garbage.encode()) is None
    assert (await reader.read(whole.encode())).data == b"whole"


async def test_objects_are_found_after_a_repack_between_two_reads(reader: Reader, repo: Repo) -> None:
    commits = repo.history(5, "refs/heads/main")
    assert (await reader.read(commits[0].encode())).type == "commit"

    repo.git("repack", "-adq")
    assert [each.oid async for each in reader.read_each(oid.encode() for oid in commits)] == commits
    late = repo.blob(b"late")
    repo.git("repack", "-adq", "--max-pack-size=1m")
    assert (await reader.read(late.encode())).data == b"late"
    repo.git("prune", "--expire=now")
    assert (await reader.read(commits[4].encode())).oid == commits[4]


async def test_alternates_are_followed_in_depth(open_reader: OpenReader, repo: Repo, tmp_path: Path) -> None:
    pool = Repo.init(tmp_path / "pool.git", repo.format.name)
    deeper = Repo.init(tmp_path / "deeper.git", repo.format.name)
    oids = [pool.blob(b"pool"), deeper.blob(b"deeper"), repo.blob(b"own")]
    late = pool.blob(b"late")
    os.unlink(Path(pool.path, "objects", late[:2], late[2:]))
    assert await open_reader(repo.repository).info(oids[0].encode()) is None

    link(repo, "# the pool\n\n../../pool.git/objects\n")
    link(pool, f"{deeper.path}/objects")

    reader = open_reader(repo.repository)
    assert [each.data async for each in reader.read_each(oid.encode() for oid in oids)] == [
        b"pool",
        b"deeper",
        b"own",
    ]
    assert await reader.info(late.encode()) is None
    pool.blob(b"late")
    pool.git("gc", "--quiet")
    assert (await reader.read(late.encode())).data == b"late"


async def test_a_quarantine_hides_the_rest_unless_it_is_an_alternate(
    open_reader: OpenReader, repo: Repo
) -> None:
    ours = repo.commit(files={"file": b"ours"}, ref="refs/heads/main")
    quarantine = f"{repo.path}/objects/incoming"
    os.mkdir(quarantine)
    theirs = repo.git(
        "hash-object", "-w", "--stdin", stdin="theirs", env={"GIT_OBJECT_DIRECTORY": quarantine}
    )
    alone = dataclasses.replace(repo.repository, object_directory=quarantine)
    both = dataclasses.replace(alone, alternate_object_directories=(f"{repo.path}/objects",))
    added = dataclasses.replace(repo.repository, alternate_object_directories=(quarantine,))

    async def visible(repository: object) -> list[bool]:
        return [
            each is not None
            async for each in open_reader(repository).info_each([ours.encode(), theirs.encode()])
        ]

    assert await visible(repo.repository) == [True, False]
    assert await visible(alone) == [False, True]
    assert await visible(both) == [True, True]
    assert await visible(added) == [True, True]
    assert await open_reader(alone).resolve(b"main") in (ours, None)
    assert (await open_reader(alone).reference(b"refs/heads/main")).oid == ours
    assert await visible(repo.repository) == [True, False]


async def test_replace_references_change_nothing(reader: Reader, repo: Repo) -> None:
    old, new = repo.commit("old\n", {"a": b"1"}), repo.commit("new\n", {"a": b"2"})
    repo.git("replace", old, new)

    assert (await reader.read(old.encode())).data.endswith(b"\nold\n")
