"""The number of repositories, as metrics have it (daemon.md 7.5)."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gitaly_py.storage import counting
from gitaly_py.storage.creation import creating
from gitaly_py.storage.generations import Generations
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.removal import remove
from gitaly_py.telemetry import metrics


def bare(root: Path, *paths: str) -> None:
    """Folders that look like repositories."""
    for path in paths:
        for part in ("objects", "refs", "HEAD"):
            (root / path / part).mkdir(parents=True)


def shown(root: Path) -> dict[str, float]:
    """What the metric says of a storage."""
    (family,) = metrics.total_repositories.collect()
    return {
        sample.labels["prefix"]: sample.value
        for sample in family.samples
        if sample.labels["path"] == str(root)
    }


async def test_repositories_are_counted_by_their_first_folder(root: Path) -> None:
    bare(root, "@hashed/aa/bb/1.git", "@hashed/cc/dd/2.git", "@pools/aa/bb/3.git")
    bare(root, "@cluster/repositories/aa/4", "@cluster/pools/bb/5", "group/6.git", "7.git")
    bare(root, "+gitaly/tmp/8", "@hashed/aa/bb/1.git/inside/9.git")

    await counting.count([f"{root}/"], threading.Event())

    assert shown(root) == {"@hashed": 2, "@pools": 1, "repositories": 1, "pools": 1, "group": 1}


async def test_one_folder_of_two_storages_is_counted_once(root: Path) -> None:
    bare(root, "a/1.git")

    await counting.count([str(root), str(root)], threading.Event())

    assert shown(root) == {"a": 1}


async def test_creation_and_removal_change_the_count(storages: Storages, root: Path) -> None:
    bare(root, "a/1.git")
    await counting.count([str(root)], threading.Event())

    repository = storages.repository("default", "a/new.git", existing=False)
    async with creating(repository):
        pass
    assert shown(root) == {"a": 2}

    await remove(repository, Generations())
    assert shown(root) == {"a": 1}


async def test_a_creation_that_fails_changes_nothing(storages: Storages, root: Path) -> None:
    bare(root, "a/1.git")
    await counting.count([str(root)], threading.Event())

    with pytest.raises(RuntimeError):
        async with creating(storages.repository("default", "a/new.git", existing=False)):
            raise RuntimeError

    assert shown(root) == {"a": 1}


async def test_a_storage_that_is_missing_counts_nothing(root: Path) -> None:
    await counting.count([f"{root}/missing"], threading.Event())
    assert shown(root / "missing") == {}


async def test_a_count_that_is_stopped_shows_nothing(root: Path) -> None:
    bare(root, "a/1.git")
    stop = threading.Event()
    stop.set()

    await counting.count([str(root)], stop)

    assert shown(root) == {}


class Busy(threading.Event):
    """Stops nothing, but calls something when the walk has found as many repositories."""

    def __init__(self, after: int, change: object) -> None:
        super().__init__()
        self._left = after
        self._change = change

    def wait(self, *_: object) -> bool:
        if self._left == 0:
            assert callable(self._change)
            self._change()
        self._left -= 1
        return False


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("path", ["a/0.git", "a/1.git", "b/2.git", "c/3.git"])
async def test_removal_during_the_count_is_taken_away_once(root: Path, after: int, path: str) -> None:
    names = ["a/0.git", "a/1.git", "b/2.git", "c/3.git", "d/4.git"]
    bare(root, *names)

    def change() -> None:
        os.rename(root / path, root / "+gone")
        for part in ("objects", "refs", "HEAD"):
            (root / "+gone" / part).rmdir()
        counting.removed(str(root), f"{root}/{path}")

    await counting.count([str(root)], Busy(after, change))

    expected = dict.fromkeys("abcd", 0.0)
    for name in names:
        expected[name[0]] += name != path
    assert {name: shown(root).get(name, 0) for name in expected} == expected


@pytest.mark.parametrize("after", range(3))
@pytest.mark.parametrize("path", ["a/0.git", "b/5.git", "e/6.git"])
@pytest.mark.parametrize("stays", [True, False])
async def test_creation_during_the_count_is_added_once(
    root: Path, after: int, path: str, stays: bool
) -> None:
    bare(root, "a/1.git", "b/2.git", "c/3.git")

    def change() -> None:
        bare(root, path)
        counting.created(str(root), f"{root}/{path}")
        if not stays:
            counting.removed(str(root), f"{root}/{path}")

    await counting.count([str(root)], Busy(after, change))

    assert sum(shown(root).values()) == 3 + stays


async def test_a_repository_that_is_found_before_its_creation_is_told_is_counted_once(root: Path) -> None:
    bare(root, "a/1.git", "b/2.git", "c/3.git")

    await counting.count([str(root)], Busy(2, lambda: counting.created(str(root), f"{root}/b/2.git")))

    assert shown(root) == {"a": 1, "b": 1, "c": 1}


def test_changes_are_counted_where_they_are_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[str, str, int]] = []
    monkeypatch.setattr(counting, "_reporters", [])
    counting.report_to(lambda *report: reports.append(report))

    counting.created(str(root), f"{root}/a/1.git")
    counting.created(str(root), f"{root}/a/2.git")
    counting.removed(str(root), f"{root}/a/1.git")
    assert shown(root) == {}

    for report in reports:
        counting.changed(*report)
    assert shown(root) == {"a": 1}
