"""Facts about very many objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.process import Git
from gitaly_py.git.reading.bulk import bulk
from gitaly_py.git.reading.errors import ObjectUnreadable
from tests.support.repositories import Repo


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
async def test_any_number_of_objects_has_facts_in_order(git: Git, tmp_path: Path, object_format: str) -> None:
    repo = Repo.init(tmp_path / "repo.git", object_format)
    blobs = [repo.blob(b"x" * number).encode() for number in range(60)]
    gone = b"f" * repo.format.hex_length

    async with bulk(git, repo.repository, "objectsize") as sizes:
        for objects in (blobs, [gone] * 2001, [blobs[number % 60] for number in range(1999)]):
            found = await sizes.of(objects)

            assert found == [None if oid == gone else b"%d" % blobs.index(oid) for oid in objects]


async def test_suffixes_are_heeded(git: Git, sha1: Repo) -> None:
    commit = sha1.commit(files={"a": b"1"})
    tag = sha1.tag("v1", commit)
    asked = [f"{tag}^{{commit}}".encode(), f"{commit}^{{tree}}".encode(), f"{commit}^{{blob}}".encode()]

    async with bulk(git, sha1.repository, "objectname") as names:
        found = await names.of(asked)

    assert found == [commit.encode(), sha1.git("rev-parse", f"{commit}^{{tree}}").encode(), None]


async def test_a_git_that_ends_is_an_error(git: Git, sha1: Repo) -> None:
    Path(sha1.path, "HEAD").unlink()

    with pytest.raises(ObjectUnreadable, match="not a git repository"):
        async with bulk(git, sha1.repository, "objectsize") as sizes:
            await sizes.of([b"f" * 40] * 1000)
