"""The rows of repository.md A2."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitaly_py.storage import errors
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from tests.support.repositories import Repo
from tests.support.stamps import settle, unsettle

ADDRESSES = [
    ("", "", errors.RepositoryNotSet, "repository not set"),
    ("default", "", errors.RepositoryPathNotSet, "repository path not set"),
    ("", "a/repo.git", errors.StorageNameNotSet, "storage name not set"),
    ("other", "a/repo.git", errors.StorageNotFound, "storage name not found"),
    ("default", "..", errors.PathEscapesStorage, "relative path escapes root directory"),
    ("default", "/..", errors.PathEscapesStorage, "relative path escapes root directory"),
    ("default", "a/../..", errors.PathEscapesStorage, "relative path escapes root directory"),
    ("default", "../storage2/x", errors.PathEscapesStorage, "relative path escapes root directory"),
    ("default", "missing.git", errors.RepositoryNotFound, "repository not found"),
    ("default", "a/repo.git/missing", errors.RepositoryNotFound, "repository not found"),
    ("default", "a", errors.RepositoryNotValid, 'repository not valid: "objects" does not exist'),
    ("default", ".", errors.RepositoryNotValid, 'repository not valid: "objects" does not exist'),
    ("default", "a/..", errors.RepositoryNotValid, 'repository not valid: "objects" does not exist'),
    ("default", "a/repo.git/HEAD", errors.GitDirectoryUnreadable, "validate git directory: not a directory"),
    (
        "default",
        "a/repo.git/HEAD/x",
        errors.GitDirectoryUnreadable,
        "validate git directory: not a directory",
    ),
    ("default", "a/nul\0", errors.GitDirectoryUnreadable, "validate git directory: invalid argument"),
    ("default", "x" * 300, errors.GitDirectoryUnreadable, "validate git directory: file name too long"),
]


@pytest.mark.parametrize(("storage", "path", "error", "text"), ADDRESSES, ids=lambda value: str(value)[:30])
def test_an_unusable_address_is_refused(
    storages: Storages, repo: Repo, storage: str, path: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(errors.StorageError) as refused:
        storages.repository(storage, path)

    assert type(refused.value) is error
    assert str(refused.value) == text


@pytest.mark.parametrize("part", ["objects", "refs", "HEAD"])
def test_every_part_of_a_repository_must_be_there(
    storages: Storages, root: Path, repo: Repo, part: str
) -> None:
    (root / "elsewhere").mkdir()
    os.rename(f"{repo.path}/{part}", root / "elsewhere" / part)

    with pytest.raises(errors.RepositoryNotValid, match=rf'^repository not valid: "{part}" does not exist$'):
        storages.repository("default", "a/repo.git")

    os.symlink(root / "elsewhere" / part, f"{repo.path}/{part}")
    assert storages.repository("default", "a/repo.git").path == repo.path


def test_the_first_missing_part_is_named(storages: Storages, repo: Repo) -> None:
    os.unlink(f"{repo.path}/HEAD")
    shutil.rmtree(f"{repo.path}/refs")

    with pytest.raises(errors.RepositoryNotValid, match="refs"):
        storages.repository("default", "a/repo.git")


def test_a_storage_that_is_gone_is_told_before_the_path_is_looked_at(storages: Storages, root: Path) -> None:
    root.rmdir()

    for path in ("a/repo.git", ".."):
        with pytest.raises(errors.StorageMissing, match="storage does not exist"):
            storages.repository("default", path)


@pytest.mark.parametrize(
    "path", ["a/repo.git", "/a/repo.git", "//a//./repo.git/", "b/../a/repo.git", "../storage/a/repo.git"]
)
def test_paths_are_cleaned_lexically_and_kept_as_sent(storages: Storages, repo: Repo, path: str) -> None:
    repository = storages.repository("default", path, gl_repository="project-1", gl_project_path="g/p")

    assert (repository.path, repository.relative_path) == (repo.path, path)
    assert (repository.storage_name, repository.gl_repository, repository.gl_project_path) == (
        "default",
        "project-1",
        "g/p",
    )


def test_a_repository_to_be_created_needs_not_exist(storages: Storages, root: Path) -> None:
    assert storages.repository("default", "new/x.git", existing=False).path == f"{root}/new/x.git"
    assert storages.repository("default", ".", existing=False).path == str(root)
    with pytest.raises(errors.PathEscapesStorage):
        storages.repository("default", "../x", existing=False)


def test_a_repository_of_another_node_needs_no_known_storage(storages: Storages) -> None:
    assert storages.repository("elsewhere", "x.git", known_storage=False).relative_path == "x.git"
    assert storages.repository("", "x.git", known_storage=False).storage_name == ""
    with pytest.raises(errors.RepositoryPathNotSet):
        storages.repository("elsewhere", "", known_storage=False)
    with pytest.raises(errors.RepositoryNotSet):
        storages.repository("", "", known_storage=False)


def test_object_directories_are_below_the_repository_unless_they_climb_out(
    storages: Storages, root: Path, repo: Repo
) -> None:
    git = storages.repository(
        "default",
        "a/repo.git",
        object_directory="objects/incoming",
        alternates=["objects", "../../pool.git/objects"],
    ).git

    assert git.object_directory == f"{repo.path}/objects/incoming"
    assert git.alternate_object_directories == (f"{repo.path}/objects", f"{root}/pool.git/objects")
    assert storages.repository("default", "a/repo.git").git.object_directory is None


async def test_a_resolved_repository_is_read(storages: Storages, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")

    assert await storages.repository("default", "a/repo.git").reader().resolve(b"main") == oid


def test_storages_are_known_by_name(storages: Storages, root: Path) -> None:
    assert storages.names == ["default"]
    assert storages.path("default") == str(root)
    with pytest.raises(errors.StorageNotFound) as unknown:
        storages.path("other")
    assert unknown.value.name == "other"


@pytest.fixture
def known(storages: Storages, repo: Repo) -> Repository:
    """The repository, looked at so long after its folder's last change that the next one must show."""
    settle(repo.path)
    return storages.repository("default", "a/repo.git")


def test_a_folder_that_has_not_changed_is_not_looked_into_again(
    storages: Storages, repo: Repo, known: Repository
) -> None:
    assert storages.repository("default", "a/repo.git") is known

    repo.git("config", "core.logallrefupdates", "false")
    assert storages.repository("default", "a/repo.git") is not known

    unsettle(repo.path)
    changing = storages.repository("default", "a/repo.git")
    assert storages.repository("default", "a/repo.git") is not changing, "it may change without telling"


@pytest.mark.parametrize("part", ["objects", "refs", "HEAD"])
def test_a_part_that_goes_is_missed_at_once(
    storages: Storages, root: Path, repo: Repo, known: Repository, part: str
) -> None:
    os.rename(f"{repo.path}/{part}", root / part)
    with pytest.raises(errors.RepositoryNotValid, match=part):
        storages.repository("default", "a/repo.git")

    os.rename(root / part, f"{repo.path}/{part}")
    assert storages.repository("default", "a/repo.git").path == repo.path


def test_what_a_linked_part_leads_to_is_missed_at_once(storages: Storages, root: Path, repo: Repo) -> None:
    os.rename(f"{repo.path}/objects", root / "objects")
    os.symlink(root / "objects", f"{repo.path}/objects")
    settle(repo.path)
    storages.repository("default", "a/repo.git")

    os.rename(root / "objects", root / "gone")

    with pytest.raises(errors.RepositoryNotValid, match="objects"):
        storages.repository("default", "a/repo.git")


def test_a_removed_repository_is_missed_at_once_and_its_successor_found(
    storages: Storages, root: Path, repo: Repo, known: Repository
) -> None:
    shutil.rmtree(repo.path)
    with pytest.raises(errors.RepositoryNotFound):
        storages.repository("default", "a/repo.git")

    Repo.init(root / "other.git")
    settle(root / "other.git")
    os.rename(root / "other.git", repo.path)
    assert storages.repository("default", "a/repo.git") is not known

    shutil.rmtree(root)
    with pytest.raises(errors.StorageMissing):
        storages.repository("default", "a/repo.git")


def test_each_address_of_a_known_repository_is_its_own(
    storages: Storages, repo: Repo, known: Repository
) -> None:
    quarantined = storages.repository("default", "a/repo.git", object_directory="objects/incoming")
    other = storages.repository("default", "a/repo.git", gl_repository="project-2")
    linked = storages.repository("default", "a/repo.git", alternates=["objects"])

    assert quarantined.git.object_directory == f"{repo.path}/objects/incoming"
    assert linked.git.alternate_object_directories == (f"{repo.path}/objects",)
    assert (other.gl_repository, known.gl_repository) == ("project-2", "")
    assert storages.repository("default", "a/repo.git", known_storage=False).path == ""
    assert storages.repository("default", "a/repo.git", existing=False) is not known


async def test_a_change_of_the_config_is_seen_by_the_next_call(
    storages: Storages, repo: Repo, known: Repository
) -> None:
    settle(f"{repo.path}/config")
    assert known.reader().format.name == "sha1"

    repo.git("config", "--file", f"{repo.path}/config", "extensions.objectformat", "sha256")
    assert storages.repository("default", "a/repo.git").reader().format.name == "sha256"
    repo.git("config", "--file", f"{repo.path}/config", "extensions.objectformat", "sha1")
    settle(repo.path)
    assert storages.repository("default", "a/repo.git").reader().format.name == "sha1"


async def test_a_change_of_the_config_that_a_link_leads_to_is_seen(
    storages: Storages, root: Path, repo: Repo
) -> None:
    os.rename(f"{repo.path}/config", root / "config")
    os.symlink(root / "config", f"{repo.path}/config")
    settle(repo.path, root / "config")
    assert storages.repository("default", "a/repo.git").reader().format.name == "sha1"

    repo.git("config", "--file", str(root / "config"), "extensions.objectformat", "sha256")

    assert storages.repository("default", "a/repo.git").reader().format.name == "sha256"
