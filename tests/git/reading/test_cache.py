from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitaly_py.git.errors import ConfigUnreadable, UnknownObjectFormat, UnknownReferenceBackend
from gitaly_py.git.process import Git
from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.reading.errors import ReftableUnsupported
from gitaly_py.git.reading.libgit2 import LibGit2Reader
from gitaly_py.git.reading.processes import ProcessReader
from tests.support.repositories import Repo


def configure(repo: Repo, text: str) -> None:
    with open(f"{repo.path}/config", "a") as file:
        file.write(text)


async def test_the_format_chooses_the_reader(readers: Readers, sha1: Repo, tmp_path: Path) -> None:
    sha256 = Repo.init(tmp_path / "sha256.git", "sha256")

    assert isinstance(readers.open(sha1.repository), LibGit2Reader)
    assert isinstance(readers.open(sha256.repository), ProcessReader)
    assert readers.open(sha256.repository).format is sha256.format


async def test_a_replaced_repository_is_read_anew(readers: Readers, sha1: Repo) -> None:
    old = sha1.commit("old\n", ref="refs/heads/main")
    sha1.git("pack-refs", "--all")
    sha1.git("repack", "-adq")
    assert await readers.open(sha1.repository).resolve(b"main") == old
    assert (await readers.open(sha1.repository).info(b"main~0")).oid == old

    shutil.rmtree(sha1.path)
    for object_format in ("sha256", "sha1"):
        replaced = Repo.init(sha1.path, object_format)
        new = replaced.commit("new\n", ref="refs/heads/main")
        reader = readers.open(sha1.repository)
        assert await reader.resolve(b"main") == (await reader.info(b"main~0")).oid == new
        assert await reader.info(old.encode()) is None
        shutil.rmtree(sha1.path)


async def test_a_repository_moved_into_place_is_seen(readers: Readers, sha1: Repo, tmp_path: Path) -> None:
    assert await readers.open(sha1.repository).resolve(b"main") is None
    other = Repo.init(tmp_path / "other.git")
    oid = other.commit(ref="refs/heads/main")
    other.git("gc", "-q")
    shutil.rmtree(sha1.path)
    os.rename(other.path, sha1.path)

    assert (await readers.open(sha1.repository).read(b"main")).oid == oid


async def test_no_more_repositories_are_kept_than_allowed(git: Git, tmp_path: Path) -> None:
    readers = Readers(git, limit=3)
    repos = [Repo.init(tmp_path / f"{number}.git") for number in range(5)]
    oids = [repo.commit(ref="refs/heads/main") for repo in repos]

    for _ in range(2):
        for repo, oid in zip(repos, oids, strict=True):
            assert await readers.open(repo.repository).resolve(b"main") == oid
    assert len(readers) == 3

    await readers.evict(repos[4].path)
    assert len(readers) == 2
    await readers.close()
    assert len(readers) == 0


async def test_repositories_of_many_packs_crowd_others_out(git: Git, tmp_path: Path) -> None:
    readers = Readers(git, max_packs=3)
    repos = [Repo.init(tmp_path / f"{number}.git") for number in range(3)]
    for repo in repos:
        for number in range(2):
            repo.commit(files={"file": b"%d" % number}, ref=f"refs/heads/{number}")
            repo.git("repack", "-dq")
        await readers.open(repo.repository).resolve(b"0")

    assert len(readers) == 1


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[extensions]\n\tobjectFormat = blake2b\n", UnknownObjectFormat, 'unknown object format: "blake2b"'),
        (
            "[extensions]\n\trefstorage = tables\n",
            UnknownReferenceBackend,
            'unknown reference backend: "tables"',
        ),
    ],
    ids=["object format", "reference backend"],
)
async def test_unknown_formats_are_refused(
    readers: Readers, sha1: Repo, text: str, error: type[Exception], message: str
) -> None:
    readers.open(sha1.repository)
    configure(sha1, text)

    with pytest.raises(error, match=message):
        readers.open(sha1.repository)


async def test_a_repository_without_config_is_refused(readers: Readers, sha1: Repo) -> None:
    readers.open(sha1.repository)
    os.unlink(f"{sha1.path}/config")

    with pytest.raises(ConfigUnreadable, match=f"open: open {sha1.path}/config: no such file or directory"):
        readers.open(sha1.repository)


async def test_reftables_need_a_newer_git(readers: Readers, git: Git, sha1: Repo) -> None:
    configure(sha1, "[extensions]\n\trefstorage = reftable\n")
    if git.version_tuple >= (2, 45):
        pytest.skip("git knows reftables")

    with pytest.raises(ReftableUnsupported, match=f"needs git 2.45 or newer, found {git.version}"):
        readers.open(sha1.repository)
