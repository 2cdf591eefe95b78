"""The files of packs, and what is left of those who were killed (transport.md 7.5)."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from pathlib import Path

import pytest

from gitaly_py.telemetry import metrics
from tests.support.packs import Cache, cache, request
from tests.support.repositories import Repo

OTHER = "0123456789abcdef0123"
MAX_AGE = 300


def left_over(folder: Path, name: str, *, age: float = 0) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 1000)
    path.chmod(0o400)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


async def test_files_are_named_and_locked_away_as_specified(folder: Path, small: Repo) -> None:
    async with cache(folder) as kept:
        for generation in range(3):
            await kept.fetch(request(small, generation=generation))
        files = kept.files()

        names = [
            re.fullmatch(r"(\w\w)/([0-9a-f]{20})-([0-9]+)", str(file.relative_to(folder))) for file in files
        ]
        assert [(name[1], name[3]) for name in names if name] == [("00", "0"), ("01", "1"), ("02", "2")]
        assert len({name[2] for name in names if name}) == 1
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o400}
        assert {stat.S_IMODE(file.parent.stat().st_mode) for file in files} == {0o700}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_what_a_killed_instance_left_is_removed_at_once(folder: Path) -> None:
    file = left_over(folder, f"0a/{OTHER}-10")
    lock = left_over(folder, f"{OTHER}.lock")
    async with cache(folder) as kept:
        await kept.until(lambda: not lock.exists())
    assert not file.exists()
    assert file.parent.exists()


async def test_what_an_instance_that_lives_has_written_stays(folder: Path, small: Repo) -> None:
    async with cache(folder) as living:
        await living.fetch(request(small))
        other = Cache(folder)
        await other.packs.clean()
        await other.packs.close()
        assert len(living.files()) == 1

        await living.fetch(request(small))
        assert living.runs == 1


async def test_a_lock_that_is_held_elsewhere_protects_its_files(folder: Path) -> None:
    file = left_over(folder, f"0a/{OTHER}-10")
    lock = left_over(folder, f"{OTHER}.lock")
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        kept = Cache(folder)
        await kept.packs.clean()
        assert file.exists()
        await kept.packs.close()
    assert (file.exists(), lock.exists()) == (True, True)


async def test_files_of_unknown_instances_go_when_they_are_old(folder: Path) -> None:
    old = left_over(folder, f"0a/{OTHER}-10", age=MAX_AGE + 1)
    young = left_over(folder, f"0a/{OTHER}-11", age=MAX_AGE - 1)
    folder.joinpath("0a").chmod(0o500)
    async with cache(folder, max_age=MAX_AGE) as kept:
        await kept.until(lambda: not old.exists())
        assert young.exists()
        assert stat.S_IMODE(young.parent.stat().st_mode) == 0o700
        young.unlink()


async def test_nothing_but_packs_is_removed(folder: Path, tmp_path: Path) -> None:
    outside = left_over(tmp_path, f"outside/{OTHER}-1", age=MAX_AGE + 1)
    strangers = [
        left_over(folder, name, age=MAX_AGE + 1)
        for name in ("0a/notes", f"0a/{OTHER}", f"{OTHER}-1", f"0a/b/{OTHER}-1", f"zz/{OTHER}-1")
    ]
    folder.joinpath("0b").symlink_to(outside.parent)
    kept = Cache(folder)
    await kept.packs.clean()
    await kept.packs.close()
    assert all(path.exists() for path in [outside, *strangers])


async def test_what_is_removed_and_what_stays_is_counted(folder: Path, small: Repo) -> None:
    left_over(folder, f"0a/{OTHER}-10", age=MAX_AGE + 1)
    left_over(folder, f"0a/{OTHER}-11", age=MAX_AGE + 1)
    young = left_over(folder, f"0a/{OTHER}-12")
    async with cache(folder, max_age=MAX_AGE) as kept:
        size = len(await kept.fetch(request(small)))
        await kept.packs.clean()

        label = {"dir": str(folder)}
        value = metrics.REGISTRY.get_sample_value
        assert value("gitaly_streamcache_filestore_removed_total", label) == 2
        assert value("gitaly_streamcache_filestore_disk_usage_bytes", label) == size + 1000
        assert value("gitaly_streamcache_index_entries", {**label, "cache_name": "pack_objects"}) == 1
        assert value("gitaly_pack_objects_cache_enabled", {**label, "max_age": "300"}) == 1
        young.unlink()
    assert value("gitaly_streamcache_index_entries", {**label, "cache_name": "pack_objects"}) == 0


async def test_cleaning_goes_on_by_itself(folder: Path) -> None:
    async with cache(folder, max_age=0.01) as kept:
        for number in range(2):
            old = left_over(folder, f"0a/{OTHER}-{number}", age=1)
            await kept.until(lambda old=old: not old.exists())
