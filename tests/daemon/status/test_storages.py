"""Storages as the status page shows them."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from gitaly_py.daemon.status.storages import StorageWatch
from gitaly_py.storage.metadata import NAME


async def test_a_storage_tells_its_space_and_whether_it_can_be_used(tmp_path: Path) -> None:
    watch = StorageWatch({"default": str(tmp_path), "gone": str(tmp_path / "gone")})

    default, gone = await watch.look()

    found = os.statvfs(tmp_path)
    assert (default.name, default.path) == ("default", str(tmp_path))
    assert default.used is not None
    assert default.available is not None
    assert 0 < default.used + default.available <= found.f_blocks * found.f_frsize
    assert (default.readable, default.writable) == (True, True)
    assert (gone.used, gone.available, gone.readable, gone.writable) == (None, None, False, False)
    await watch.close()


async def test_looking_again_sees_what_has_changed(tmp_path: Path) -> None:
    watch = StorageWatch({"default": str(tmp_path)})
    (before,) = await watch.look()

    tmp_path.chmod(0o500)
    (after,) = await watch.look()

    assert (before.writable, after.writable) == (True, False)
    await watch.close()


async def test_a_disk_that_hangs_holds_up_one_thread_and_no_page(tmp_path: Path) -> None:
    hanging = tmp_path / "hanging"
    hanging.mkdir()
    # Whoever opens it to read waits for one who writes.
    os.mkfifo(hanging / NAME)
    watch = StorageWatch({"default": str(tmp_path), "slow": str(hanging)}, patience=0.2)
    try:
        await watch.look()
        threads = threading.active_count()
        for _ in range(5):
            default, slow = await watch.look()
            assert (default.readable, slow.readable, slow.used) == (True, False, None)
        assert threading.active_count() < threads + 3
    finally:
        writer = os.open(hanging / NAME, os.O_RDWR | os.O_NONBLOCK)
        os.unlink(hanging / NAME)
        os.close(writer)

    await eventually_readable(watch)
    await watch.close()


async def test_whoever_looks_while_the_watch_ends_is_answered_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    watch = StorageWatch({"default": str(tmp_path)}, patience=30)
    looking = asyncio.ensure_future(watch.look())
    await asyncio.sleep(0)
    try:
        await watch.close()
        async with asyncio.timeout(10):
            (state,) = await looking
    finally:
        writer = os.open(tmp_path / NAME, os.O_RDWR | os.O_NONBLOCK)
        os.unlink(tmp_path / NAME)
        os.close(writer)

    assert (state.name, state.readable, state.used) == ("default", False, None)


async def eventually_readable(watch: StorageWatch) -> None:
    """Waits until the storage that hung is shown again."""
    async with asyncio.timeout(30):
        while not (await watch.look())[1].readable:
            await asyncio.sleep(0.02)
