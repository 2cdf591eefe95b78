from __future__ import annotations

import dataclasses
import os
from itertools import pairwise
from pathlib import Path

from gitaly_py.git.reading.stores import ObjectStores, read_alternates
from tests.support.repositories import Repo
from tests.support.stamps import settle, unsettle


def test_alternates_are_relative_to_the_object_directory(sha1: Repo, tmp_path: Path) -> None:
    other = Repo.init(tmp_path / "pools" / "other.git")
    alternates = Path(sha1.path, "objects/info/alternates")
    alternates.write_text("../../pools/other.git/objects\n/absent\n")

    stores = ObjectStores(sha1.repository)

    assert stores.folders == [f"{sha1.path}/objects", f"{other.path}/objects"]


def test_chains_of_alternates_end_where_those_of_git_do(tmp_path: Path) -> None:
    repos = [Repo.init(tmp_path / f"{number}.git") for number in range(9)]
    blobs = [repo.blob(b"%d" % number) for number, repo in enumerate(repos)]
    for one, two in pairwise(repos):
        Path(one.path, "objects/info/alternates").write_text(f"{two.path}/objects\n")

    listed = repos[0].git("cat-file", "--batch-check", stdin="\n".join(blobs).encode())

    assert len(ObjectStores(repos[0].repository).folders) == listed.count(" blob ") == 7


def test_a_quarantine_comes_first_and_alone(sha1: Repo, tmp_path: Path) -> None:
    quarantine = tmp_path / "quarantine"
    quarantine.mkdir()
    alone = dataclasses.replace(sha1.repository, object_directory=str(quarantine))
    both = dataclasses.replace(alone, alternate_object_directories=(f"{sha1.path}/objects",))

    assert ObjectStores(alone).folders == [str(quarantine)]
    assert ObjectStores(both).folders == [str(quarantine), f"{sha1.path}/objects"]


def test_a_link_that_comes_or_goes_is_a_change(sha1: Repo, tmp_path: Path) -> None:
    other = Repo.init(tmp_path / "other.git")
    alternates = Path(sha1.path, "objects/info/alternates")
    before = ObjectStores(sha1.repository)
    alternates.write_text(f"{other.path}/objects\n")
    assert not before.unchanged()

    unsettle(alternates)
    assert not ObjectStores(sha1.repository).unchanged(), "it may still change within the same clock step"
    os.utime(alternates)
    settle(alternates, f"{sha1.path}/objects/pack", f"{other.path}/objects/pack")
    linked = ObjectStores(sha1.repository)
    assert linked.unchanged()
    Path(other.path, "objects/pack/pack-1.pack").touch()
    assert not linked.unchanged()
    alternates.unlink()
    assert not ObjectStores(sha1.repository).packs


def test_blank_and_comment_lines_name_nothing(tmp_path: Path) -> None:
    path = tmp_path / "alternates"
    assert read_alternates(str(path)) == []
    path.write_bytes(b"# comment\n\n../x\n/caf\xe9")

    assert read_alternates(str(path)) == ["../x", "/caf\udce9"]
