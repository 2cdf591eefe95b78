from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from gitaly_py.git.reading.database import ObjectDatabase, ObjectUnreadableHere
from gitaly_py.git.reading.interface import GitObject, ObjectInfo
from tests.support.repositories import Repo
from tests.support.stamps import settle


def packed(repo: Repo) -> list[str]:
    return [str(path) for path in Path(repo.path, "objects/pack").glob("*.pack")]


def test_it_is_opened_again_when_a_pack_comes_or_goes(sha1: Repo) -> None:
    first = sha1.blob(b"first")
    settle(f"{sha1.path}/objects/pack")
    database = ObjectDatabase(sha1.repository)
    assert not database.refresh()
    assert database.packs == 0

    sha1.commit(files={"file": b"first"}, ref="refs/heads/main")
    sha1.git("repack", "-adq")

    assert database.refresh()
    assert database.packs == 1
    assert database.info(first) == ObjectInfo(first, "blob", 5)


def test_an_object_that_moved_to_another_pack_is_found(sha1: Repo) -> None:
    oids = sha1.history(3, "refs/heads/main")
    sha1.git("repack", "-adq")
    database = ObjectDatabase(sha1.repository)
    old = packed(sha1)

    sha1.history(2, "refs/heads/other")
    sha1.git("repack", "-adfq", "--depth=0")

    assert packed(sha1) != old
    assert [database.read(oid).oid for oid in oids] == oids
    assert database.read("1" * 40) is None


def test_an_object_directory_that_comes_late_is_seen(sha1: Repo) -> None:
    quarantine = f"{sha1.path}/objects/incoming"
    database = ObjectDatabase(dataclasses.replace(sha1.repository, object_directory=quarantine))
    oid = sha1.blob(b"late")
    assert database.info(oid) is None

    os.makedirs(f"{quarantine}/{oid[:2]}")
    shutil.copy(f"{sha1.path}/objects/{oid[:2]}/{oid[2:]}", f"{quarantine}/{oid[:2]}/{oid[2:]}")

    assert database.read(oid) == GitObject(oid, "blob", b"late")


def test_circular_alternates_end(sha1: Repo, tmp_path: Path) -> None:
    other = Repo.init(tmp_path / "other.git")
    for one, two in ((sha1, other), (other, sha1)):
        Path(one.path, "objects/info/alternates").write_text(f"{two.path}/objects\n/nowhere\n")
    oid = other.blob(b"other")

    assert ObjectDatabase(sha1.repository).info(oid) == ObjectInfo(oid, "blob", 5)


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"x\x9c", bytes(200)])
def test_a_damaged_loose_object_is_left_to_git(sha1: Repo, garbage: bytes) -> None:
    oid = sha1.blob(b"content")
    Path(sha1.path, "objects", oid[:2], oid[2:]).write_bytes(garbage)
    database = ObjectDatabase(sha1.repository)

    with pytest.raises(ObjectUnreadableHere):
        database.read(oid)
    with pytest.raises(ObjectUnreadableHere):
        database.info(oid)


def test_a_packed_copy_is_preferred_to_a_damaged_loose_one(sha1: Repo) -> None:
    sha1.commit(files={"file": b"content"}, ref="refs/heads/main")
    oid = sha1.git("rev-parse", "main:file")
    sha1.git("repack", "-aq")
    Path(sha1.path, "objects", oid[:2], oid[2:]).write_bytes(b"garbage")

    assert ObjectDatabase(sha1.repository).read(oid).data == b"content"


@pytest.fixture
def kept(sha1: Repo) -> tuple[ObjectDatabase, str]:
    """A database that has read a packed object, and its id."""
    oid = sha1.commit(ref="refs/heads/main")
    sha1.git("repack", "-adq")
    settle(f"{sha1.path}/objects/pack")
    database = ObjectDatabase(sha1.repository)
    assert database.look(oid) is database.look(oid)
    return database, oid


def test_a_packed_object_that_is_gone_is_missed_by_the_next_call(
    sha1: Repo, kept: tuple[ObjectDatabase, str]
) -> None:
    database, oid = kept
    database.doubt()
    assert database.look(oid) is not None

    for path in Path(sha1.path, "objects/pack").iterdir():
        path.unlink()

    database.doubt()
    assert database.look(oid) is None


def test_a_packed_object_that_was_unpacked_is_found_by_the_next_call(
    sha1: Repo, kept: tuple[ObjectDatabase, str]
) -> None:
    database, oid = kept
    data = Path(packed(sha1)[0]).read_bytes()
    for path in Path(sha1.path, "objects/pack").iterdir():
        path.unlink()
    sha1.git("unpack-objects", "-q", stdin=data)

    database.doubt()

    found = database.look(oid)
    assert isinstance(found, GitObject)
    assert found.oid == oid


@pytest.mark.parametrize("is_packed", [False, True], ids=["loose", "packed"])
def test_an_object_of_an_alternate_that_is_unlinked_is_missed_by_the_next_call(
    sha1: Repo, tmp_path: Path, is_packed: bool
) -> None:
    other = Repo.init(tmp_path / "other.git")
    oid = other.commit(ref="refs/heads/main")
    if is_packed:
        other.git("repack", "-adq")
    alternates = Path(sha1.path, "objects/info/alternates")
    alternates.write_text(f"{other.path}/objects\n")
    settle(alternates, f"{sha1.path}/objects/pack", f"{other.path}/objects/pack")
    database = ObjectDatabase(sha1.repository)
    assert database.look(oid) is not None

    alternates.unlink()

    database.doubt()
    assert database.look(oid) is None


def test_an_object_in_the_own_folder_that_goes_is_missed_by_the_next_call(sha1: Repo) -> None:
    oid = sha1.commit(ref="refs/heads/main")
    settle(f"{sha1.path}/objects/pack")
    database = ObjectDatabase(sha1.repository)
    database.doubt()
    assert database.look(oid) is not None

    Path(sha1.path, "objects", oid[:2], oid[2:]).unlink()

    database.doubt()
    assert database.look(oid) is None


def test_whoever_counts_packs_is_told_of_new_ones(sha1: Repo) -> None:
    counts: list[int] = []
    oid = sha1.commit(ref="refs/heads/main")
    settle(f"{sha1.path}/objects/pack")
    database = ObjectDatabase(sha1.repository, lambda: counts.append(database.packs))
    sha1.git("repack", "-adq")

    database.doubt()
    database.look(oid)

    assert counts == [1]
