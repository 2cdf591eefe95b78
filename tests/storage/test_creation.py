from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat
from gitaly_py.storage import errors
from gitaly_py.storage.creation import creating
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.sizes import scan_size
from tests.support.repositories import Repo


@pytest.fixture
def target(storages: Storages) -> Repository:
    return storages.repository("default", "new/group/x.git", existing=False)


async def create(repository: Repository, **options: object) -> None:
    async with creating(repository, **options):
        pass


def left_over(root: Path) -> list[str]:
    return os.listdir(root / "+gitaly/tmp")


def tree(path: str) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in Path(path).rglob("*"))


@pytest.mark.parametrize("object_format", [SHA1, SHA256], ids=lambda each: each.name)
async def test_what_is_created_equals_what_git_makes(
    target: Repository, root: Path, object_format: ObjectFormat
) -> None:
    expected = Repo.init(root / "git.git", object_format.name, branch="develop")

    await create(target, object_format=object_format, branch=b"develop")

    assert set(tree(target.path)) - set(tree(expected.path)) == {".gitaly-full-repack-timestamp"}
    assert set(tree(expected.path)) <= set(tree(target.path))
    for name in ("HEAD", "config"):
        assert Path(target.path, name).read_bytes() == Path(expected.path, name).read_bytes()
    assert expected.git("--git-dir", target.path, "rev-parse", "--show-object-format") == object_format.name
    assert scan_size(target.path) < 1024
    assert stat.S_IMODE(os.stat(target.path).st_mode) == 0o700
    assert left_over(root) == []
    assert os.listdir(root / "new/group") == ["x.git"]


async def test_main_is_the_default_branch(target: Repository) -> None:
    await create(target)

    assert (await target.reader().head()).target == b"refs/heads/main"


async def test_the_block_seeds_what_becomes_visible_at_once(target: Repository) -> None:
    async with creating(target) as temporary:
        assert not os.path.exists(target.path)
        assert temporary.relative_path.startswith("+gitaly/tmp/repo")
        oid = Repo(temporary.path, SHA1).commit(ref="refs/heads/main")

    assert await target.reader().resolve(b"main") == oid


async def test_a_clone_makes_the_folder_itself(target: Repository) -> None:
    async with creating(target, object_format=None) as temporary:
        assert not os.path.exists(temporary.path)
        Repo.init(temporary.path)

    assert os.path.exists(f"{target.path}/HEAD")
    assert os.path.exists(f"{target.path}/.gitaly-full-repack-timestamp")


@pytest.mark.parametrize("kind", ["file", "folder", "repository"])
async def test_whatever_exists_is_in_the_way(target: Repository, kind: str) -> None:
    os.makedirs(os.path.dirname(target.path))
    if kind == "file":
        with open(target.path, "w"):
            pass
    elif kind == "folder":
        os.mkdir(target.path)
    else:
        Repo.init(target.path)

    with pytest.raises(errors.RepositoryExists, match=r"^repository exists already$"):
        await create(target)


async def test_a_failing_seed_leaves_nothing(target: Repository, root: Path) -> None:
    async def fail() -> None:
        async with creating(target):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert left_over(root) == []
    assert not os.path.exists(target.path)


@pytest.mark.parametrize("branch", [b"./.lock", b"a..b", b"x y", b"a\0b"])
async def test_an_impossible_branch_is_refused_in_gits_words(
    target: Repository, root: Path, branch: bytes
) -> None:
    with pytest.raises(errors.InitialBranchInvalid) as refused:
        await create(target, branch=branch)

    assert refused.value.branch == branch
    assert left_over(root) == []
    if branch == b"./.lock":
        stderr = r"fatal: invalid initial branch name: './.lock'\n"
        assert str(refused.value) == f'creating repository: exit status 128, stderr: "{stderr}"'


async def test_a_held_lock_refuses_creation(target: Repository, root: Path) -> None:
    os.makedirs(os.path.dirname(target.path))
    with open(f"{target.path}.lock", "w"):
        pass

    with pytest.raises(errors.CreationLocked, match=r"^locking repository: file already locked$"):
        await create(target)
    assert not os.path.exists(target.path)
    assert os.path.exists(f"{target.path}.lock")
    assert left_over(root) == []


async def test_one_of_two_racing_creations_wins(target: Repository, root: Path) -> None:
    both = asyncio.Barrier(2)

    async def race(number: int) -> int:
        async with creating(target) as temporary:
            with open(f"{temporary.path}/winner", "w") as file:
                file.write(str(number))
            await both.wait()
        return number

    results = await asyncio.gather(race(1), race(2), return_exceptions=True)

    winner = next(each for each in results if isinstance(each, int))
    loser = next(each for each in results if not isinstance(each, int))
    assert isinstance(loser, errors.RepositoryExists | errors.CreationLocked)
    assert Path(target.path, "winner").read_text() == str(winner)
    assert left_over(root) == []


async def test_a_file_in_the_way_of_the_path_is_told(storages: Storages, repo: Repo) -> None:
    with pytest.raises(errors.PreLockStatFailed, match=r"^pre-lock stat: not a directory$"):
        await create(storages.repository("default", "a/repo.git/HEAD/x.git", existing=False))
