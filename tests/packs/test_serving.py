"""A pack on its way to clients of every kind of connection: a reader is a source of yamux frames."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gitaly_py.packs.errors import PackFailed
from gitaly_py.telemetry import metrics
from gitaly_py.transport.errors import StreamReset
from gitaly_py.transport.yamux.stream import Stream
from tests.support.mux import read_all, sessions
from tests.support.packs import MIB, Cache, cache, check_pack, request, small_disk
from tests.support.repositories import Repo

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])
WAYS = pytest.mark.parametrize("min_occurrences", [0, 1], ids=["kept", "direct"])


async def serve(serving: Cache, repo: Repo, stream: Stream) -> int:
    """What a handler does; the bytes it sent."""
    try:
        async with serving.open(request(repo)) as reader:
            await stream.send_source(reader)
            reader.check()
            return reader.sent
    finally:
        stream.close()


@KINDS
@WAYS
async def test_a_client_gets_the_whole_pack(
    tmp_path: Path, large: Repo, kind: str, min_occurrences: int
) -> None:
    async with cache(tmp_path / "cache", min_occurrences=min_occurrences) as serving, sessions(kind) as both:
        stream, ours = await both.stream()
        sending = asyncio.create_task(serve(serving, large, ours))
        packets = await read_all(stream)
        check_pack(packets, large, tmp_path)
        assert await sending == len(packets)


@KINDS
async def test_many_clients_share_a_connection_and_a_pack(kept: Cache, large: Repo, kind: str) -> None:
    def sent() -> float:
        return metrics.REGISTRY.get_sample_value("gitaly_streamcache_sendfile_bytes_total") or 0

    before = sent()
    async with sessions(kind) as both:
        streams = [await both.stream() for _ in range(8)]
        sending = [asyncio.create_task(serve(kept, large, ours)) for _, ours in streams]
        got = await asyncio.gather(*(read_all(stream) for stream, _ in streams))
        assert await asyncio.gather(*sending) == [len(got[0])] * 8
    assert len(set(got)) == 1
    assert kept.runs == 1
    # Few bytes are quicker copied.
    assert (sent() - before > 7 * len(got[0])) == (kind != "tls")


@KINDS
@WAYS
async def test_a_client_that_hangs_up_ends_git_and_spoils_nothing(
    tmp_path: Path, large: Repo, kind: str, min_occurrences: int
) -> None:
    async with cache(tmp_path / "cache", min_occurrences=min_occurrences) as serving, sessions(kind) as both:
        stream, ours = await both.stream()
        sending = asyncio.create_task(serve(serving, large, ours))
        await stream.read(1000)
        stream.reset()
        with pytest.raises(StreamReset):
            await sending
        await serving.until(lambda: not serving.children())

        stream, ours = await both.stream()
        sending = asyncio.create_task(serve(serving, large, ours))
        check_pack(await read_all(stream), large, tmp_path)
        await sending


@WAYS
async def test_a_call_that_is_cancelled_leaves_the_connection_usable(
    tmp_path: Path, large: Repo, min_occurrences: int
) -> None:
    async with cache(tmp_path / "cache", min_occurrences=min_occurrences) as serving, sessions("tcp") as both:
        stream, ours = await both.stream()
        sending = asyncio.create_task(serve(serving, large, ours))
        await stream.read(1000)
        sending.cancel()
        await read_all(stream)
        await asyncio.wait([sending])

        other, ours = await both.stream()
        await ours.write(b"still here")
        ours.close()
        assert await read_all(other) == b"still here"


@WAYS
async def test_a_client_gets_what_there_was_before_git_failed(
    tmp_path: Path, large: Repo, min_occurrences: int
) -> None:
    async with cache(tmp_path / "cache", min_occurrences=min_occurrences) as serving, sessions("tcp") as both:
        stream, ours = await both.stream()
        sending = asyncio.create_task(serve(serving, large, ours))
        await stream.read(1000)
        for git in serving.children():
            git.kill()
        await read_all(stream)
        with pytest.raises(PackFailed):
            await sending


async def test_a_full_disk_is_not_noticed_by_clients(large: Repo, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 3 * MIB) as disk:
        async with cache(disk / "cache") as full, sessions("tcp") as both:
            streams = [await both.stream() for _ in range(3)]
            sending = [asyncio.create_task(serve(full, large, ours)) for _, ours in streams]
            got = await asyncio.gather(*(read_all(stream) for stream, _ in streams))
            await asyncio.gather(*sending)
        assert len(set(got)) == 1
        check_pack(got[0], large, tmp_path)
