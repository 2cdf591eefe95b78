"""Callers of FindCommit that cost next to nothing: prepared bytes, one call of each connection at a time."""

from __future__ import annotations

import random
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.operations.fleet import Fleet
from benchmarks.rpc.connection import Connection, ended
from benchmarks.rpc.metadata import Metadata, block_maker
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.repository_pb2 import GetArchiveRequest
from tests.support.repositories import Entry

FIND_COMMIT = "/gitaly.CommitService/FindCommit"
GET_ARCHIVE = "/gitaly.RepositoryService/GetArchive"
WARM_UP = 20
"""Calls of each connection before the clock starts."""


@dataclass(frozen=True)
class Target:
    """What is called, as a client process has to know it. socket: path. message: the request, serialized."""

    socket: str
    message: bytes
    path: str = FIND_COMMIT


@dataclass(frozen=True)
class Load:
    """What a load came to: seconds of wall time, and of the client's processor time."""

    seconds: float
    client: float


def find_commit(fleet: Fleet) -> Target:
    """A call that reads the only commit."""
    request = FindCommitRequest(repository=fleet.repo.message, revision=fleet.oid.encode())
    return Target(fleet.socket, request.SerializeToString())


def archive(fleet: Fleet, megabytes: int, format: str = "TAR") -> Target:  # noqa: A002 - the field's name
    """A call that streams an archive with so much in it, in files that can't be compressed."""
    noise = random.Random(megabytes)
    files: dict[str | bytes, Entry] = {f"file-{n}": noise.randbytes(10**6) for n in range(megabytes)}
    oid = fleet.repo.commit("large", files=files, ref="refs/heads/large")
    request = GetArchiveRequest(repository=fleet.repo.message, commit_id=oid, prefix="p", format=format)
    return Target(fleet.socket, request.SerializeToString(), GET_ARCHIVE)


class Callers:
    """Connections with Rails' metadata, which have made some calls already; `perform` makes the next ones.

    changes: of the metadata, see block_maker.
    """

    def __init__(
        self,
        opened: ExitStack,
        target: Target,
        connections: int,
        calls: int,
        changes: Mapping[str, str | None] = MappingProxyType({}),
    ) -> None:
        self._calls = WARM_UP + calls
        self._prepared: dict[Connection, list[bytes]] = {}
        for _ in range(connections):
            connection = opened.enter_context(closing(Connection(target.socket)))
            connection.settle()
            make_block = block_maker(target.path, Metadata.CORE, connection.table_size, changes)
            self._prepared[connection] = connection.requests(self._calls, make_block, target.message)
        self.perform(WARM_UP)

    def perform(self, count: int) -> Load:
        """Makes so many calls on each connection."""
        turns = {}
        for connection, prepared in self._prepared.items():
            turns[connection.socket.fileno()] = connection, iter(prepared[:count])
            del prepared[:count]
        since, own = time.perf_counter(), time.process_time()
        _drive(turns)
        return Load(time.perf_counter() - since, time.process_time() - own)

    def verify(self) -> None:
        """Raises Broken unless every call has succeeded."""
        for connection in self._prepared:
            connection.verify(self._calls)


def _drive(turns: dict[int, tuple[Connection, Iterator[bytes]]]) -> None:
    with select.epoll() as epoll:
        for descriptor, (connection, waiting) in turns.items():
            epoll.register(descriptor, select.EPOLLIN)
            connection.send(next(waiting))
        left = len(turns)
        while left:
            for descriptor, _ in epoll.poll():
                connection, waiting = turns[descriptor]
                if ended(connection.receive()):
                    data = next(waiting, None)
                    if data is None:
                        left -= 1
                    else:
                        connection.send(data)
