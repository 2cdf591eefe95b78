"""What goes wrong while packs are made and read: each client gets a whole pack or a clean error."""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import RemoveRepositoryRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from gitaly_py.transport.errors import TransportError
from tests.support.fetches import FetchingDaemon, fetching, over_http, pack_in, unpacked, v2_fetch
from tests.support.fixtures import repository_in
from tests.support.smarthttp import FLUSH, Fetched, fetch_with, noisy, pkt

V2 = "version=2"
SIZE = 30_000_000
ABORTED = pkt(b"\x03aborting due to possible repository corruption on the remote side.\0")


@pytest_asyncio.fixture(scope="module")
async def keeping(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[FetchingDaemon]:
    async with fetching(tmp_path_factory.mktemp("faults"), engine) as started:
        yield started


@pytest_asyncio.fixture
async def client(keeping: FetchingDaemon) -> AsyncIterator[MultiplexedConnection]:
    async with await keeping.connection() as dialled:
        yield dialled


class Wanted:
    """A repository with a large pack, and the fetch of it."""

    def __init__(self, daemon: FetchingDaemon, size: int = SIZE) -> None:
        self.repo = repository_in(daemon.storage)
        self.oid = noisy(self.repo, size)
        self.body = v2_fetch(f"want {self.oid}", "done")

    async def fetched(self, client: MultiplexedConnection) -> Fetched:
        """A whole fetch."""
        return await over_http(client, self.repo, self.body, protocol=V2)

    def is_whole(self, answer: bytes, folder: Path) -> bool:
        """Whether an answer is a pack that git takes, and has everything."""
        return (
            answer.endswith(FLUSH) and unpacked(pack_in(answer), folder).git("rev-list", self.oid) == self.oid
        )


@pytest.fixture
def wanted(keeping: FetchingDaemon) -> Wanted:
    return Wanted(keeping)


class Paused:
    """A client that stops reading in the middle, until `go_on`."""

    def __init__(self, client: MultiplexedConnection, wanted: Wanted) -> None:
        self._reads = asyncio.Event()
        self._goes_on = asyncio.Event()
        request = PostUploadPackWithSidechannelRequest(repository=wanted.repo.message, git_protocol=V2)
        self._body = wanted.body
        self._call = asyncio.ensure_future(fetch_with(client, request, self._talk))

    async def _talk(self, channel: ClientSidechannel) -> bytes:
        await channel.write(self._body)
        await channel.close_write()
        parts = [await channel.read(65536)]
        self._reads.set()
        await self._goes_on.wait()
        while data := await channel.read(1 << 20):
            parts.append(data)
        return b"".join(parts)

    async def reads(self) -> None:
        """Waits for the first bytes."""
        await self._reads.wait()

    async def go_on(self) -> Fetched:
        """Reads the rest."""
        self._goes_on.set()
        return await self._call


@asynccontextmanager
async def paused(client: MultiplexedConnection, wanted: Wanted) -> AsyncIterator[Paused]:
    reader = Paused(client, wanted)
    await reader.reads()
    yield reader
    await reader.go_on()


def producers(daemon: FetchingDaemon) -> list[psutil.Process]:
    return [child for child in daemon.children() if "pack-objects" in child.cmdline()]


async def nothing_left(daemon: FetchingDaemon, descriptors: int) -> None:
    """Waits until no process is left, and no descriptor more than before."""
    process = daemon.worker
    async with asyncio.timeout(20):
        while daemon.children() or process.num_fds() > descriptors:
            await asyncio.sleep(0.05)


async def test_a_killed_producer_is_a_clean_error_and_leaves_nothing(
    keeping: FetchingDaemon, client: MultiplexedConnection, wanted: Wanted, tmp_path: Path
) -> None:
    before = keeping.worker.num_fds()
    async with paused(client, wanted) as one, paused(client, wanted) as other:
        (producer,) = producers(keeping)
        producer.kill()
        for reader in (one, other):
            fetched = await reader.go_on()
            assert fetched.answer.endswith(ABORTED)
            assert fetched.error is not None
            assert fetched.error.code() is StatusCode.FAILED_PRECONDITION
    await nothing_left(keeping, before)

    again = await wanted.fetched(client)

    assert again.error is None
    assert wanted.is_whole(again.answer, tmp_path / "clone")


async def test_files_that_go_away_under_a_reader_do_no_harm(
    keeping: FetchingDaemon, client: MultiplexedConnection, wanted: Wanted, tmp_path: Path
) -> None:
    async with paused(client, wanted) as reader:
        for file in (keeping.storage / "+gitaly/PackObjectsCache").glob("??/*"):
            file.unlink()
        other = await wanted.fetched(client)
        first = await reader.go_on()
    assert (first.error, other.error) == (None, None)
    assert wanted.is_whole(first.answer, tmp_path / "first")
    assert wanted.is_whole(other.answer, tmp_path / "other")


async def test_a_reader_that_stalls_holds_up_nobody(
    keeping: FetchingDaemon, client: MultiplexedConnection, wanted: Wanted, tmp_path: Path
) -> None:
    async with paused(client, wanted) as stalled:
        others = await asyncio.gather(*(wanted.fetched(client) for _ in range(3)))
        late = await stalled.go_on()
    assert {each.error for each in (*others, late)} == {None}
    assert {each.answer for each in others} == {late.answer}
    assert wanted.is_whole(late.answer, tmp_path / "clone")


async def test_readers_that_hang_up_at_random_leave_nothing(
    keeping: FetchingDaemon, client: MultiplexedConnection, tmp_path: Path
) -> None:
    wanted = Wanted(keeping, 3_000_000)
    assert (await wanted.fetched(client)).error is None
    before = keeping.worker.num_fds()
    chance = random.Random(1)

    async def hang_up() -> None:
        patience = chance.randrange(3_000_000)
        enough = asyncio.Event()

        async def talk(channel: ClientSidechannel) -> bytes:
            await channel.write(wanted.body)
            await channel.close_write()
            taken = 0
            while taken <= patience:
                taken += len(await channel.read(65536))
            enough.set()
            return b""

        request = PostUploadPackWithSidechannelRequest(repository=wanted.repo.message, git_protocol=V2)
        async with await keeping.connection() as connection:
            fetching = asyncio.ensure_future(fetch_with(connection, request, talk))
            await enough.wait()
        await asyncio.wait([fetching])
        with suppress(TransportError, asyncio.CancelledError):
            fetching.result()

    for _ in range(5):
        await asyncio.gather(*(hang_up() for _ in range(20)))
    await nothing_left(keeping, before)

    assert wanted.is_whole((await wanted.fetched(client)).answer, tmp_path / "clone")


async def test_a_repository_removed_in_mid_stream_is_a_whole_pack_or_a_clean_error(
    keeping: FetchingDaemon, client: MultiplexedConnection, wanted: Wanted, tmp_path: Path
) -> None:
    async with paused(client, wanted) as reader:
        stub = keeping.stub(RepositoryServiceStub)  # type: ignore[type-var]
        await stub.RemoveRepository(RemoveRepositoryRequest(repository=wanted.repo.message))
        fetched = await reader.go_on()
    if fetched.error is None:
        assert wanted.is_whole(fetched.answer, tmp_path / "clone")
    else:
        assert fetched.answer.endswith(ABORTED)
    late = await wanted.fetched(client)
    assert late.error is not None
    assert late.error.code() is StatusCode.NOT_FOUND


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a daemon of its own lives; its sockets need a short path."""
    return tmp_path_factory.mktemp("own")


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of four mebibytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems can't be mounted here")
    return folder


async def test_a_full_disk_costs_nothing_but_the_cache(
    engine: str, home: Path, small_disk: Path, tmp_path: Path
) -> None:
    cache = f'dir = "{small_disk}/packs"\nmin_occurrences = 0'
    daemon = FetchingDaemon(home, engine=engine, cache=cache)
    try:
        daemon.start()
        async with await daemon.connection() as client:
            large, small = Wanted(daemon), Wanted(daemon, 1_000_000)
            answers = await asyncio.gather(*(large.fetched(client) for _ in range(3)))
            answers += [await small.fetched(client) for _ in range(2)]
        found = await daemon.metrics()
    finally:
        stopped = daemon.stop()
        subprocess.run(["umount", "--lazy", small_disk], check=True)
    assert stopped == 0
    assert {each.error for each in answers} == {None}
    for number, each in enumerate(answers):
        wanted = large if number < 3 else small
        assert wanted.is_whole(each.answer, tmp_path / str(number))
    assert found.total("gitaly_pack_objects_cache_lookups_total", result="hit") >= 1


async def test_a_folder_that_cant_be_used_costs_nothing_but_the_cache(
    engine: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = f'dir = "{tmp_path}/file/packs"\nmin_occurrences = 0'
    daemon = FetchingDaemon(home, engine=engine, cache=cache)
    daemon.start()
    async with await daemon.connection() as client:
        wanted = Wanted(daemon, 2_000_000)
        answers = [await wanted.fetched(client) for _ in range(2)]
    assert daemon.stop() == 0
    assert {each.error for each in answers} == {None}
    assert wanted.is_whole(answers[1].answer, tmp_path / "clone")


async def test_what_a_killed_daemon_leaves_the_next_one_removes(
    engine: str, home: Path, tmp_path: Path
) -> None:
    daemon = FetchingDaemon(home, engine=engine)
    folder = daemon.storage / "+gitaly/PackObjectsCache"
    daemon.start()
    async with await daemon.connection() as client:
        wanted = Wanted(daemon, 1_000_000)
        assert (await wanted.fetched(client)).error is None
        assert list(folder.glob("??/*"))
        daemon.kill()
    daemon.start()
    async with asyncio.timeout(20):
        while list(folder.glob("??/*")):
            await asyncio.sleep(0.05)
    async with await daemon.connection() as client:
        assert wanted.is_whole((await wanted.fetched(client)).answer, tmp_path / "clone")
    assert daemon.stop() == 0
