"""What is kept of loose references is what git would read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitaly_py.git.reading.loose import LooseReference, LooseReferences
from gitaly_py.git.reading.stamps import stamp
from tests.support.repositories import Repo
from tests.support.stamps import settle, unsettle

MAIN = b"refs/heads/main"


@pytest.fixture
def loose(sha1: Repo) -> LooseReferences:
    return LooseReferences(sha1.path, 40)


@pytest.fixture
def oids(sha1: Repo) -> list[str]:
    return sha1.history(2, "refs/heads/main")


@pytest.fixture
def file(sha1: Repo, oids: list[str]) -> Path:
    """The file of the reference `main`, which names the second commit and may be kept."""
    path = Path(sha1.path, "refs/heads/main")
    settle(path)
    return path


def test_a_file_that_has_not_changed_is_not_read_again(loose: LooseReferences, file: Path) -> None:
    assert loose.read(MAIN) is loose.read(MAIN)

    unsettle(file)

    assert loose.read(MAIN) is not loose.read(MAIN), "it may still change within the same clock step"


def test_what_git_and_others_write_is_seen(
    sha1: Repo, loose: LooseReferences, oids: list[str], file: Path
) -> None:
    first, second = (LooseReference(oid, None) for oid in oids)
    assert loose.read(MAIN) == second

    sha1.ref("refs/heads/main", oids[0])
    assert loose.read(MAIN) == first
    settle(file)
    assert loose.read(MAIN) == first
    file.write_text(oids[1] + "\n")
    assert loose.read(MAIN) == second
    sha1.symref("refs/heads/main", "refs/heads/other")
    assert loose.read(MAIN) == LooseReference(None, b"refs/heads/other")


def test_a_file_that_goes_is_missed(sha1: Repo, loose: LooseReferences, file: Path) -> None:
    assert loose.read(MAIN) is not None

    sha1.git("pack-refs", "--all")

    assert loose.read(MAIN) is None
    sha1.git("update-ref", "-d", "refs/heads/main")
    sha1.git("pack-refs", "--all", "--prune")
    shutil.rmtree(file.parent)
    assert loose.read(MAIN) is None


def test_a_folder_or_link_in_the_place_of_a_file_is_seen(
    sha1: Repo, loose: LooseReferences, file: Path
) -> None:
    assert loose.read(MAIN) is not None

    file.unlink()
    file.mkdir()
    assert loose.read(MAIN) is None
    file.rmdir()
    file.symlink_to("refs/heads/other")
    assert loose.read(MAIN) == LooseReference(None, b"refs/heads/other")


def test_a_hundred_changes_in_a_row_are_all_seen(loose: LooseReferences, oids: list[str], file: Path) -> None:
    for number in range(100):
        oid = oids[number % 2]
        if number % 3:
            file.write_text(oid + "\n")
        else:
            lock = file.with_suffix(".lock")
            lock.write_text(oid + "\n")
            lock.rename(file)

        assert loose.read(MAIN) == LooseReference(oid, None)


def test_more_references_than_are_kept_are_read(sha1: Repo, loose: LooseReferences, oids: list[str]) -> None:
    names = [b"refs/heads/%d" % number for number in range(200)]
    sha1.git(
        "update-ref",
        "--stdin",
        stdin=b"".join(b"create %s %s\n" % (name, oids[0].encode()) for name in names),
    )
    settle(*(os.fsdecode(os.fsencode(sha1.path) + b"/" + name) for name in names))

    for _ in range(2):
        assert {loose.read(name) for name in names} == {LooseReference(oids[0], None)}


def test_a_target_that_breaks_the_rules_of_names_breaks_the_reference(
    sha1: Repo, loose: LooseReferences
) -> None:
    Path(sha1.path, "HEAD").write_text("ref: refs/heads/../../config\n")

    assert loose.read(b"HEAD") == LooseReference(None, None)


def test_a_file_that_comes_into_the_folder_is_seen_when_the_folder_is_another(
    sha1: Repo, loose: LooseReferences, oids: list[str]
) -> None:
    settle(sha1.path)
    before = stamp(sha1.path)
    assert loose.read(b"main", before) is None
    assert loose.read(b"main", before) is None

    Path(sha1.path, "main").write_text(oids[0] + "\n")

    assert stamp(sha1.path) != before
    assert loose.read(b"main", stamp(sha1.path)) == LooseReference(oids[0], None)


def test_what_a_link_in_the_folder_leads_to_is_seen_at_once(
    sha1: Repo, loose: LooseReferences, oids: list[str], tmp_path: Path
) -> None:
    Path(sha1.path, "main").symlink_to(tmp_path / "elsewhere")
    settle(sha1.path)
    folder = stamp(sha1.path)
    assert loose.read(b"main", folder) is None

    (tmp_path / "elsewhere").write_text(oids[0] + "\n")

    assert loose.read(b"main", folder) == LooseReference(oids[0], None)
