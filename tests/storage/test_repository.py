from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitaly_py.storage import errors
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.temporary import quarantine_prefix
from tests.support.repositories import Repo

HASH = "8843d7f92416211d"
"""Of the relative path `foobar` (repository.md A3)."""


@pytest.mark.parametrize(
    ("path", "is_pool"),
    [
        ("@pools/aa/bb/aabb" + "0" * 60 + ".git", True),
        ("x/@pools/aa/bb/aabb" + "0" * 60 + ".git", True),
        ("@pools/aa/bb/aacc" + "0" * 60 + ".git", False),
        ("@pools/aa/bb/aabb" + "0" * 60 + ".git/x", False),
        ("@pools/aa/bb/aabb" + "0" * 60 + ".git\n", False),
        ("@pools/aa/bb/aabb" + "0" * 59 + ".git", False),
        ("@cluster/pools/aa/bb/123", True),
        ("@cluster/pools/aa/bb/12x", False),
        ("@hashed/aa/bb/aabb.git", False),
    ],
)
def test_a_pool_is_told_by_its_path(storages: Storages, path: str, is_pool: bool) -> None:
    assert storages.repository("default", path, existing=False).is_pool is is_pool


def test_a_sibling_shares_the_storage(repository: Repository, root: Path) -> None:
    sibling = repository.sibling("+gitaly/tmp/repo1")

    assert (sibling.path, sibling.storage_name) == (f"{root}/+gitaly/tmp/repo1", "default")
    assert sibling.git.object_directory is None


@pytest.fixture
def foobar(storages: Storages, root: Path) -> Repo:
    return Repo.init(root / "foobar")


def object_directory(storages: Storages, path: str) -> str:
    return storages.repository("default", "foobar", object_directory=path).object_directory()


@pytest.mark.parametrize(
    "path",
    [
        "objects", "objects/", "objects/incoming", "objects/../objects/incoming", ".", "x/..",
        f"../+gitaly/tmp/quarantine-{HASH}-1", f"../+gitaly/tmp/quarantine-{HASH}-1/below",
        "../elsewhere/quarantine", "../elsewhere/quarantine/tmp_objdir-1",
    ],
)  # fmt: skip
def test_object_directories_of_the_repository_are_accepted(
    storages: Storages, foobar: Repo, root: Path, path: str
) -> None:
    (root / "foobar" / path).resolve().mkdir(parents=True, exist_ok=True)

    assert object_directory(storages, path) == os.path.normpath(root / "foobar" / path)


@pytest.mark.parametrize(
    "path",
    [
        "..", "../x", "/../x", "objects/../..", "../other/objects", "../../x", "../../quarantine",
        f"../+gitaly/tmp/quarantine-{HASH}-1/..", f"../+gitaly/tmp/quarantine-{HASH}-1/../x",
        "../+gitaly/tmp/quarantine-60518c1c11dc0452-1", f"../+gitaly/tmp/quarantine-{HASH}",
        "../foobar2/objects", "../elsewhere/quarantine/objects",
    ],
)  # fmt: skip
def test_object_directories_of_others_are_refused(storages: Storages, foobar: Repo, path: str) -> None:
    with pytest.raises(errors.ObjectDirectoryEscapes) as refused:
        object_directory(storages, path)

    assert str(refused.value) == "not a valid relative path: relative path escapes root directory"


def test_an_object_directory_must_exist(storages: Storages, foobar: Repo, root: Path) -> None:
    with pytest.raises(errors.ObjectDirectoryMissing) as missing:
        object_directory(storages, "foo../bazqux.git")

    assert str(missing.value) == f'object directory does not exist: "{root}/foobar/foo../bazqux.git"'


def test_an_object_directory_must_be_named(storages: Storages, foobar: Repo) -> None:
    with pytest.raises(errors.ObjectDirectoryNotSet, match=r"^object directory path is not set$"):
        object_directory(storages, "")


def test_quarantines_are_named_by_the_path_as_sent() -> None:
    assert quarantine_prefix("foobar") == f"quarantine-{HASH}-"
    assert quarantine_prefix("barfoo") == "quarantine-60518c1c11dc0452-"
    assert quarantine_prefix("/foobar") != quarantine_prefix("foobar")
