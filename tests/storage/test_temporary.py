from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from gitaly_py.storage.temporary import MAX_AGE_SECONDS, TemporaryAreas, area, delete, temporary_directory


def names(root: Path) -> set[str]:
    return set(os.listdir(root / "+gitaly/tmp"))


async def test_a_temporary_directory_lives_as_long_as_its_block(root: Path) -> None:
    async with temporary_directory(str(root)) as path:
        assert os.path.dirname(path) == f"{root}/+gitaly/tmp"
        assert os.path.basename(path).startswith("repo")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(root / "+gitaly").st_mode) == 0o700
        Path(path, "file").touch()

    assert names(root) == set()


async def test_a_directory_that_moved_away_is_no_fault(root: Path) -> None:
    async with temporary_directory(str(root), "x") as path:
        os.rename(path, root / "elsewhere")

    assert (root / "elsewhere").is_dir()


def test_deleting_follows_no_links(tmp_path: Path) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    kept.mkdir(mode=0o500)
    gone.mkdir()
    os.symlink(kept, gone / "link")
    delete(str(gone))

    assert stat.S_IMODE(kept.stat().st_mode) == 0o500
    assert not gone.exists()
    delete(str(gone))


@pytest.fixture
def left_over(root: Path) -> set[str]:
    folder = Path(area(str(root)))
    (folder / "repo1/objects").mkdir(parents=True)
    (folder / "quarantine-8843d7f92416211d-1").mkdir()
    (folder / "file").touch()
    return names(root)


def test_what_a_killed_daemon_left_is_removed_at_start(root: Path, left_over: set[str]) -> None:
    areas = TemporaryAreas([str(root), f"{root}/../storage"])
    areas.sweep()
    areas.release()

    assert names(root) == set()


def test_another_daemon_of_the_same_storage_keeps_its_files(root: Path) -> None:
    first, second = TemporaryAreas([str(root)]), TemporaryAreas([str(root)])
    first.sweep()
    (Path(area(str(root))) / "repo1").mkdir()

    second.sweep()
    assert names(root) == {"repo1"}
    first.release()
    second.release()

    third = TemporaryAreas([str(root)])
    third.sweep()
    third.release()
    assert names(root) == set()


def test_only_what_is_older_than_a_week_is_cleaned(root: Path, left_over: set[str]) -> None:
    old = time.time() - MAX_AGE_SECONDS - 60
    os.chmod(root / "+gitaly/tmp/repo1", 0o500)
    for name in ("repo1", "file"):
        os.utime(root / "+gitaly/tmp" / name, (old, old))

    TemporaryAreas([str(root)]).clean()

    assert names(root) == {"quarantine-8843d7f92416211d-1"}


def test_a_missing_storage_hurts_nobody(tmp_path: Path, root: Path, left_over: set[str]) -> None:
    areas = TemporaryAreas([str(tmp_path / "absent"), str(root)])
    areas.clean()
    areas.sweep()
    areas.release()

    assert names(root) == set()
