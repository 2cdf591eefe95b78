"""A disk that takes nothing, or not all, turns keeping off and nothing else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gitaly_py.packs.shared import LEAD
from gitaly_py.telemetry import metrics
from tests.support.packs import MIB, cache, check_pack, drain, request, small_disk
from tests.support.repositories import Repo


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that holds less than half of the large pack."""
    with small_disk(tmp_path / "disk", 3 * MIB) as path:
        yield path


def faults() -> float:
    return metrics.REGISTRY.get_sample_value("gitaly_pack_objects_cache_faults_total") or 0


async def test_a_pack_for_which_the_disk_has_no_room_is_served_whole(
    disk: Path, large: Repo, tmp_path: Path
) -> None:
    before = faults()
    async with cache(disk / "cache") as full:
        with capture_logs() as logs:
            packs = await asyncio.gather(*(full.fetch(request(large)) for _ in range(5)))
            assert full.runs == 1
            assert await full.fetch(request(large))
        assert full.runs == 2
        assert len(set(packs)) == 1
        check_pack(packs[0], large, tmp_path)
        await full.until(lambda: not full.files())
    assert faults() == before + 2
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["event"], entry["error"]) for entry in warnings] == [
        ("packs are not kept", "[Errno 28] No space left on device")
    ]


async def test_each_time_the_disk_fails_is_told_once(disk: Path, small: Repo, large: Repo) -> None:
    async with cache(disk / "cache") as full:
        with capture_logs() as logs:
            await full.fetch(request(large))
            await full.until(lambda: not full.files())
            await full.fetch(request(small))
            # Told of it a moment after its last byte was read.
            await full.until(lambda: not full.packs._folder._failing)
            await full.fetch(request(large))
            await full.until(lambda: full.packs._folder._failing)
    assert [entry["event"] for entry in logs].count("packs are not kept") == 2


async def test_what_the_disk_does_not_take_is_held_for_the_slowest_and_within_bounds(
    disk: Path, large: Repo, tmp_path: Path
) -> None:
    async with cache(disk / "cache") as full, full.open(request(large)) as slow:
        beginning = await slow.read(MIB)
        file = slow._shared.file
        async with full.open(request(large)) as fast:
            reading = asyncio.create_task(drain(fast))
            await full.until(lambda: file.held > LEAD // 2 and not fast.available())
            assert full.packs._index.get(slow.key) is None
            await full.until(lambda: not full.files())
            held = 0
            while data := await slow.read(100_000):
                beginning += data
                held = max(held, file.held)
            assert 0 < held <= LEAD + 100 * 70
            assert await reading == beginning
        check_pack(beginning, large, tmp_path)


async def test_a_reader_that_hangs_up_is_not_waited_for_when_the_disk_is_full(
    disk: Path, large: Repo
) -> None:
    async with cache(disk / "cache") as full, full.open(request(large)) as fast:
        async with full.open(request(large)) as slow:
            reading = asyncio.create_task(drain(fast))
            await full.until(lambda: slow._shared.file.held > LEAD // 2 and not fast.available())
        assert await reading


async def test_a_disk_with_room_again_is_used_again(disk: Path, small: Repo, large: Repo) -> None:
    async with cache(disk / "cache") as full:
        await full.fetch(request(large))
        await full.until(lambda: os.statvfs(disk).f_bavail > os.statvfs(disk).f_blocks // 2)
        await full.fetch(request(small))
        await full.fetch(request(small))
        assert full.runs == 2


async def test_a_folder_that_cant_be_made_leaves_packs_unkept(
    small: Repo, large: Repo, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    before = faults()
    async with cache(tmp_path / "file/cache") as unusable:
        await unusable.until(lambda: faults() > before)
        check_pack(await unusable.fetch(request(large)), large, tmp_path)
        check_pack(await unusable.fetch(request(small)), small, tmp_path)
        assert unusable.runs == 2

        (tmp_path / "file").unlink()
        for _ in range(2):
            await unusable.fetch(request(small))
        assert unusable.runs == 3
    assert faults() == before + 3


async def test_a_folder_that_is_removed_is_made_again(small: Repo, tmp_path: Path) -> None:
    async with cache(tmp_path / "other") as removed:
        await removed.fetch(request(small))
        for file in removed.files():
            file.unlink()
            file.parent.rmdir()
        for path in removed.folder.iterdir():
            path.unlink()
        removed.folder.rmdir()
        for _ in range(2):
            await removed.fetch(request(small))
        assert removed.runs == 2


async def test_a_slow_disk_is_written_to_in_a_thread(
    tmp_path: Path, large: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitaly_py.packs.shared.SLOW_WRITE", 0.0)
    async with cache(tmp_path / "cache") as slow:
        packs = await asyncio.gather(*(slow.fetch(request(large)) for _ in range(3)))
        assert len(set(packs)) == 1
        check_pack(packs[0], large, tmp_path)
        async with slow.open(request(large, generation=1)) as reader:
            await reader.read(MIB)
