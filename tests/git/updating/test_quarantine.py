"""Quarantined objects (repository.md A3)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.settings import GitSettings
from gitaly_py.git.updating.quarantine import migrate_objects, quarantine, quarantine_prefix
from tests.support.repositories import GIT, Repo

HASH_OBJECT = Command(name="hash-object", flags=["-w", "--stdin"])


@pytest.fixture
def git() -> Git:
    return Git(GitSettings(binary=GIT))


@pytest.fixture(params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return Repo.init(tmp_path / "r.git", request.param)


async def write(git: Git, repository: GitRepository, data: bytes) -> str:
    done = await git.run(repository, HASH_OBJECT, stdin=data)
    return done.check().stdout.decode().strip()


async def exists(git: Git, repository: GitRepository, oid: str) -> bool:
    return (await git.run(repository, Command(name="cat-file", flags=["-e"], args=[oid]))).status == 0


@pytest.mark.parametrize(("path", "digest"), [("foobar", "8843d7f92416211d"), ("barfoo", "60518c1c11dc0452")])
def test_names_tell_the_repository(path: str, digest: str) -> None:
    assert quarantine_prefix(path) == f"quarantine-{digest}-"


async def test_objects_are_visible_only_inside_until_migrated(git: Git, repo: Repo, tmp_path: Path) -> None:
    old = repo.blob(b"old")
    async with quarantine(repo.repository, "r.git", str(tmp_path / "tmp")) as inside:
        new = await write(git, inside.repository, b"new")
        assert await exists(git, inside.repository, old)
        assert await exists(git, inside.repository, new)
        assert not await exists(git, repo.repository, new)
        await inside.migrate()
        assert await exists(git, repo.repository, new)
    assert os.listdir(tmp_path / "tmp") == []
    repo.git("fsck", "--strict")


async def test_objects_vanish_when_the_block_fails(git: Git, repo: Repo, tmp_path: Path) -> None:
    written = []

    async def fail() -> None:
        async with quarantine(repo.repository, "r.git", str(tmp_path / "tmp")) as inside:
            written.append(await write(git, inside.repository, b"new"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert not await exists(git, repo.repository, written[0])
    assert os.listdir(tmp_path / "tmp") == []


async def test_a_quarantine_of_a_quarantine_migrates_into_it(git: Git, repo: Repo, tmp_path: Path) -> None:
    async with quarantine(repo.repository, "r.git", str(tmp_path / "tmp")) as outer:
        async with quarantine(outer.repository, "r.git", str(tmp_path / "tmp")) as inner:
            assert inner.repository.alternate_object_directories == (outer.path, f"{repo.path}/objects")
            oid = await write(git, inner.repository, b"new")
            await inner.migrate()
        assert await exists(git, outer.repository, oid)
        assert not await exists(git, repo.repository, oid)


async def test_packs_are_migrated_whole(git: Git, repo: Repo, tmp_path: Path) -> None:
    donor = Repo.init(tmp_path / "donor.git", repo.format.name)
    tip = donor.history(3)[-1]
    pack = donor.git_bytes("pack-objects", "--stdout", "--revs", "--thin", stdin=tip)
    async with quarantine(repo.repository, "r.git", str(tmp_path / "tmp")) as inside:
        command = Command(name="index-pack", flags=["--stdin", "--fix-thin"])
        config = [("pack.writeReverseIndex", "true")]
        (await git.run(inside.repository, command, stdin=pack, config=config)).check()
        await inside.migrate()
    names = os.listdir(f"{repo.path}/objects/pack")
    assert {os.path.splitext(name)[1] for name in names} == {".pack", ".idx", ".rev"}
    assert repo.git("rev-list", "--count", tip) == "3"


def test_an_index_is_published_after_its_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    for name in (
        "pack/pack-1.idx",
        "pack/pack-1.pack",
        "pack/pack-1.rev",
        "pack/pack-1.keep",
        "pack/x",
        "ff/1",
        "aa/2",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    order: list[str] = []
    link = os.link

    def observed(origin: str, destination: str) -> None:
        order.append(os.path.relpath(destination, target))
        link(origin, destination)

    monkeypatch.setattr(os, "link", observed)
    migrate_objects(str(source), str(target))
    assert order == [
        "aa/2",
        "ff/1",
        "pack/x",
        *(f"pack/pack-1.{end}" for end in ("keep", "pack", "rev", "idx")),
    ]
    assert not any(path.is_file() for path in source.rglob("*"))
    assert (target / "pack").stat().st_mode & 0o777 == 0o700


def test_an_object_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    for folder in ("source", "target"):
        (tmp_path / folder / "aa").mkdir(parents=True)
        (tmp_path / folder / "aa" / "1").write_text(folder)
    migrate_objects(str(tmp_path / "source"), str(tmp_path / "target"))
    assert (tmp_path / "target/aa/1").read_text() == "target"
    assert not (tmp_path / "source/aa/1").exists()


def test_files_are_renamed_where_links_are_not_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    (tmp_path / "source").mkdir()
    (tmp_path / "source/1").write_text("x")
    (tmp_path / "target").mkdir()
    monkeypatch.setattr(os, "link", refuse)
    migrate_objects(str(tmp_path / "source"), str(tmp_path / "target"))
    assert (tmp_path / "target/1").read_text() == "x"
