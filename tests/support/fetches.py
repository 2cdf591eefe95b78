"""Fetches over both transports, made by hand, and what a daemon did for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.pb.ssh_pb2 import SSHUploadPackWithSidechannelRequest
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.metrics import Metrics, free_port, scrape
from tests.support.repositories import Repo
from tests.support.smarthttp import DELIM, FLUSH, Fetched, fetch_with, packets, pkt, sending
from tests.support.ssh import bands, fetch_over_ssh

SIDE_BAND = "side-band-64k ofs-delta no-progress"


def v2_fetch(*lines: str, agent: str = "git/2.39.5") -> bytes:
    """A fetch of protocol version 2, with a pack without progress."""
    arguments = b"".join(pkt(f"{line}\n") for line in ("ofs-delta", "no-progress", *lines))
    return (
        pkt("command=fetch") + pkt(f"agent={agent}") + pkt("object-format=sha1") + DELIM + arguments + FLUSH
    )


class FetchingDaemon(Daemon):
    """A daemon that keeps packs, and whose metrics can be read. cache: keys of `[pack_objects_cache]`."""

    def __init__(
        self, root: Path, *, engine: str, cache: str = "min_occurrences = 0", tables: str = ""
    ) -> None:
        self.port = free_port()
        super().__init__(
            root,
            engine=engine,
            extra=f'prometheus_listen_addr = "127.0.0.1:{self.port}"',
            tables=f"[pack_objects_cache]\nenabled = true\n{cache}\n{tables}",
        )

    async def metrics(self) -> Metrics:
        """What is counted by now."""
        return await scrape(self.port)

    async def connection(self) -> MultiplexedConnection:
        """A new connection with side channels."""
        return await MultiplexedConnection.dial(f"unix:{self.socket}")


@asynccontextmanager
async def fetching(root: Path, engine: str, **options: str) -> AsyncIterator[FetchingDaemon]:
    """A FetchingDaemon that runs as long as the block, and ends well."""
    daemon = FetchingDaemon(root, engine=engine, **options)
    daemon.start()
    yield daemon
    await daemon.close_channel()
    assert daemon.stop() == 0


class Counted:
    """What a daemon counts between `begin` and a question."""

    def __init__(self, daemon: FetchingDaemon) -> None:
        self._daemon = daemon

    async def begin(self) -> None:
        """Forgets what was counted before."""
        self._before = await self._daemon.metrics()

    async def more(self, name: str, **labels: str) -> float:
        """How much a metric has grown."""
        now = await self._daemon.metrics()
        return now.total(name, **labels) - self._before.total(name, **labels)

    async def processes(self) -> float:
        """How many git processes were started."""
        return await self.more("gitaly_spawn_forking_time_seconds_count")

    async def answered_by(self, who: str) -> float:
        """How many fetches were answered by a plan, a takeover, …"""
        return await self.more("gitaly_fetches_total", answered_by=who)


async def over_http(
    connection: MultiplexedConnection, repo: Repo, body: bytes, *metadata: tuple[str, str], protocol: str = ""
) -> Fetched:
    """A round over HTTP."""
    request = PostUploadPackWithSidechannelRequest(repository=repo.message, git_protocol=protocol)
    return await fetch_with(connection, request, sending(body), *metadata)


async def over_ssh(
    connection: MultiplexedConnection, repo: Repo, body: bytes, *metadata: tuple[str, str], protocol: str = ""
) -> Fetched:
    """A conversation over SSH in which the client says everything at once. The answer is git's output."""
    request = SSHUploadPackWithSidechannelRequest(repository=repo.message, git_protocol=protocol)
    fetched = await fetch_over_ssh(connection, request, sending(body), *metadata)
    return fetched._replace(answer=bands(fetched.answer)[1])


def pack_in(answer: bytes) -> bytes:
    """The pack behind an answer's last section; b"" where there is none."""
    return b"".join(packet[1:] for packet in packets(answer) if packet and packet[:1] == b"\x01")


def unpacked(pack: bytes, folder: Path, *, objects_of: Repo | None = None) -> Repo:
    """A repository of what is in a pack that git has checked. objects_of: what a thin one builds upon."""
    repo = Repo.init(folder)
    if objects_of is not None:
        Path(repo.git_dir, "objects/info/alternates").write_text(f"{objects_of.git_dir}/objects\n")
    repo.git("index-pack", "--strict", "--stdin", "--fix-thin", stdin=pack)
    return repo
