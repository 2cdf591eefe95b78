"""From what a program writes to packets, at the pace of who reads them (transport.md 7.4, 7.5)."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gitaly_py.git.process import Stderr
from gitaly_py.git.splicing import filled, widen
from gitaly_py.git.wire import sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.packs.direct import DirectFlow
from gitaly_py.packs.flow import Flow
from gitaly_py.packs.index import Entry
from gitaly_py.packs.packing import Packer
from gitaly_py.packs.reader import PackReader
from gitaly_py.packs.shared import LEAD
from gitaly_py.telemetry import fields, metrics
from tests.support.packs import (
    MIB,
    Cache,
    cache,
    check_pack,
    demultiplexed,
    drain,
    each_packet,
    pack_of,
    request,
)
from tests.support.repositories import Repo

SOURCE = "import os, random; noise = random.Random(1).randbytes\n"
MIXED = """
for size in [1, 65514, 65515, 65516, 4096, 131072, 200000, 5] * 8:
    data = noise(size)
    while data:
        data = data[os.write(1, data):]
    os.write(2, b'%d bytes\\n' % size)
"""
BULK = "for _ in range(400): os.write(1, noise(8192))"


@pytest.fixture(params=["kept", "direct"])
def flow(request: pytest.FixtureRequest, kept: Cache, small: Repo) -> tuple[Flow, PackReader, Any]:
    """A flow, its reader, and how to end it."""
    from tests.support.packs import request as asked

    if request.param == "direct":
        direct = DirectFlow("key")
        return direct, direct.reader, direct.end
    entry: Entry = kept.packs._index.new(asked(small), kept.now)
    return entry.flow, entry.flow.join("key", hit=False), entry.end


async def packed(kept: Cache, flow: tuple[Flow, PackReader, Any], program: str, *, ahead: int = 0) -> bytes:
    """The packets of what a program writes. ahead: bytes of it that are there before any is packed."""
    into, reader, end = flow
    argv = [sys.executable, "-I", "-S", "-c", SOURCE + program]
    reading = asyncio.create_task(drain(reader))
    async with kept.git.start_program(argv, cwd="/", stderr=Stderr.PIPE) as process:
        assert not ahead or widen(process.stdout_fd, ahead)
        while filled(process.stdout_fd) < ahead:
            await asyncio.sleep(0.001)
        assert await Packer(into, 60).take(process) == 0
    end(None)
    packets = await reading
    reader.close()
    return packets


async def test_both_streams_arrive_complete_in_whole_packets(
    kept: Cache, flow: tuple[Flow, PackReader, Any]
) -> None:
    packets = await packed(kept, flow, MIXED)
    expected = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", SOURCE + MIXED, stdout=-1, stderr=-1
    )
    assert demultiplexed(packets) == await expected.communicate()


async def test_bulk_travels_in_full_packets(kept: Cache, flow: tuple[Flow, PackReader, Any]) -> None:
    packets = list(each_packet(await packed(kept, flow, BULK, ahead=MIB)))
    assert {band for band, _ in packets} == {Band.DATA}
    assert sum(len(data) for _, data in packets) == 400 * 8192
    full = [len(data) == sideband.MAX_DATA for _, data in packets[: MIB // sideband.MAX_DATA]]
    assert all(full), full


@pytest.mark.parametrize("min_occurrences", [0, 1], ids=["kept", "direct"])
async def test_silence_is_broken_by_empty_packets(tmp_path: Path, small: Repo, min_occurrences: int) -> None:
    admitted = asyncio.Event()

    @asynccontextmanager
    async def queue():
        await admitted.wait()
        yield

    settings = {"keep_alive": 0.005, "min_occurrences": min_occurrences}
    async with cache(tmp_path / "cache", **settings) as silent, silent.open(request(small), queue) as reader:
        await reader.started()
        for _ in range(3):
            assert await reader.read(5) == sideband.KEEP_ALIVE
        admitted.set()
        check_pack(await drain(reader), small, tmp_path)


async def test_git_waits_for_the_fastest_reader(kept: Cache, large: Repo, tmp_path: Path) -> None:
    async with kept.open(request(large)) as slow, kept.open(request(large)) as fast:
        shared = slow._shared
        await kept.until(lambda: shared._room is not None)
        assert LEAD // 2 < shared.written <= LEAD + 10_000
        (file,) = kept.files()

        got = await fast.read(MIB)
        await kept.until(lambda: shared.written - fast.sent > LEAD // 2 and shared._room is not None)
        assert file.stat().st_size - fast.sent <= LEAD + 10_000

        got += await drain(fast)
        assert slow.available() == len(got)
        assert await drain(slow) == got
    check_pack(got, large, tmp_path)


async def test_the_fastest_reader_that_hangs_up_is_not_waited_for(kept: Cache, large: Repo) -> None:
    async with kept.open(request(large)) as slow:
        async with kept.open(request(large)) as fast:
            while fast.sent < 3 * MIB:
                await fast.read(MIB)
        assert await drain(slow)
    assert kept.runs == 1


async def test_git_waits_for_nobody_without_backpressure(tmp_path: Path, large: Repo) -> None:
    async with cache(tmp_path / "cache", backpressure=False) as free, free.open(request(large)) as reader:
        await reader.started()
        await free.until(lambda: reader._flow.over)
        assert reader.available() > 8 * MIB
        check_pack(await drain(reader), large, tmp_path)


async def test_a_call_is_told_what_it_got_and_what_it_cost(kept: Cache, small: Repo) -> None:
    counters = {
        name: metrics.REGISTRY.get_sample_value(f"gitaly_pack_objects_{name}_total") or 0
        for name in ("generated_bytes", "served_bytes")
    }
    asked = request(small)
    recorded = []
    size = 0
    for _ in range(2):
        record = fields.opened()
        size = len(await kept.fetch(asked))
        recorded.append(record)

    first, second = recorded
    assert {name: value for name, value in first.items() if name.startswith("pack")} == {
        "pack_objects_cache.key": asked.key,
        "pack_objects_cache.hit": "false",
        "pack_objects_cache.served_bytes": size,
        "pack_objects_cache.generated_bytes": size,
        "pack_objects.compression_statistics": first["pack_objects.compression_statistics"],
    }
    assert first["pack_objects.compression_statistics"].startswith("Total 60 (delta ")
    assert first["command.count"] == 1
    assert second == {
        "pack_objects_cache.key": asked.key,
        "pack_objects_cache.hit": "true",
        "pack_objects_cache.served_bytes": size,
    }
    for name, times in (("generated_bytes", 1), ("served_bytes", 2)):
        value = metrics.REGISTRY.get_sample_value(f"gitaly_pack_objects_{name}_total")
        assert value == counters[name] + times * size


async def test_lookups_are_counted_by_what_they_found(kept: Cache, small: Repo) -> None:
    def lookups(result: str) -> float:
        return (
            metrics.REGISTRY.get_sample_value("gitaly_pack_objects_cache_lookups_total", {"result": result})
            or 0
        )

    before = lookups("hit"), lookups("miss")
    for _ in range(3):
        assert pack_of(await kept.fetch(request(small)))
    assert (lookups("hit"), lookups("miss")) == (before[0] + 2, before[1] + 1)
    assert metrics.REGISTRY.get_sample_value("gitaly_pack_objects_cache_readers") == 0
    assert metrics.REGISTRY.get_sample_value("gitaly_pack_objects_cache_producers") == 0
