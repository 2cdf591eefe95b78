from __future__ import annotations

import hashlib
import os
import random
import zlib
from pathlib import Path

import pytest

from gitaly_py.git.reading.interface import GitObject, ObjectInfo
from gitaly_py.git.reading.looseobjects import EAGER, DamagedObject, LooseObjects
from tests.support.repositories import Repo


@pytest.fixture
def objects(sha1: Repo) -> LooseObjects:
    return LooseObjects([f"{sha1.path}/absent", f"{sha1.path}/objects"])


@pytest.mark.parametrize("size", [0, 1, 200, EAGER, EAGER + 1, 100_000])
@pytest.mark.parametrize("noisy", [False, True])
def test_what_git_wrote_is_read(sha1: Repo, objects: LooseObjects, size: int, noisy: bool) -> None:
    data = random.Random(size).randbytes(size) if noisy else b"a" * size
    oid = sha1.git("hash-object", "-w", "--stdin", stdin=data)

    assert objects.info(oid) == ObjectInfo(oid, "blob", size)
    assert objects.read(oid) == GitObject(oid, "blob", data)
    assert objects.look(oid) in (GitObject(oid, "blob", data), ObjectInfo(oid, "blob", size))
    assert isinstance(objects.look(oid), ObjectInfo) or size <= EAGER


def test_an_absent_object_is_none(objects: LooseObjects) -> None:
    assert objects.info("1" * 40) is objects.read("1" * 40) is objects.look("1" * 40) is None


def test_an_object_that_was_read_before_is_missed_when_it_goes(sha1: Repo, objects: LooseObjects) -> None:
    oid = sha1.blob(b"content")
    assert objects.look(oid) == objects.look(oid) == GitObject(oid, "blob", b"content")

    sha1.git("prune", "--expire=now")

    assert objects.look(oid) is None


def test_more_objects_than_are_kept_are_read(sha1: Repo, objects: LooseObjects) -> None:
    oids = [sha1.blob(b"%d" % number) for number in range(50)]

    for _ in range(2):
        assert [objects.look(oid) for oid in oids] == [
            GitObject(oid, "blob", b"%d" % number) for number, oid in enumerate(oids)
        ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        zlib.compress(b"blub 3\0abc"),
        zlib.compress(b"blob x\0abc"),
        zlib.compress(b"blob 3"),
        zlib.compress(b"blob 4\0abc"),
        zlib.compress(b"blob 3\0abc")[:-3],
        zlib.compress(b"blob 9000\0" + random.Random(1).randbytes(9000))[:4000],
    ],
    ids=["empty", "garbage", "type", "size", "header only", "short", "cut", "cut later"],
)
def test_a_damaged_object_is_never_given_back(sha1: Repo, objects: LooseObjects, data: bytes) -> None:
    oid = hashlib.sha1(b"any").hexdigest()
    os.mkdir(f"{sha1.path}/objects/{oid[:2]}")
    Path(f"{sha1.path}/objects/{oid[:2]}/{oid[2:]}").write_bytes(data)

    with pytest.raises(DamagedObject):
        objects.read(oid)
