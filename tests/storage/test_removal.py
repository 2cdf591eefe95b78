from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitaly_py.storage import errors
from gitaly_py.storage.creation import creating
from gitaly_py.storage.generations import Generations
from gitaly_py.storage.removal import remove
from gitaly_py.storage.repository import Repository
from tests.support.repositories import Repo


async def test_a_removed_repository_leaves_nothing_but_its_parents(
    repository: Repository, root: Path
) -> None:
    await repository.reader().head()
    await remove(repository, Generations())

    assert os.listdir(root / "a") == []
    assert os.listdir(root / "+gitaly/tmp") == []
    assert len(repository.readers) == 0


async def test_read_only_folders_are_removed(repository: Repository, root: Path) -> None:
    os.makedirs(f"{repository.path}/objects/aa/bb")
    for name in ("objects/aa/bb", "objects/aa", "objects"):
        os.chmod(f"{repository.path}/{name}", 0o500)
    os.symlink(root, f"{repository.path}/link")

    await remove(repository, Generations())

    assert os.listdir(root / "+gitaly/tmp") == []
    assert root.exists()


async def test_a_repository_that_is_gone_is_told(repository: Repository) -> None:
    shutil.rmtree(repository.path)

    with pytest.raises(errors.RepositoryGone, match=r"^repository does not exist$"):
        await remove(repository, Generations())
    assert not os.path.exists(f"{repository.path}.lock")


async def test_a_locked_repository_is_not_removed(repository: Repository) -> None:
    with open(f"{repository.path}.lock", "w"):
        pass

    with pytest.raises(errors.RemovalLocked, match=r"^repository is already locked$"):
        await remove(repository, Generations())
    assert os.path.exists(f"{repository.path}/HEAD")
    assert os.path.exists(f"{repository.path}.lock")


async def test_a_name_is_free_at_once(repository: Repository, repo: Repo) -> None:
    old = repo.commit(ref="refs/heads/main")
    assert await repository.reader().resolve(b"main") == old

    await remove(repository, Generations())
    async with creating(repository):
        pass

    assert await repository.reader().resolve(b"main") is None
    assert await repository.reader().info(old.encode()) is None
