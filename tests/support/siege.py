"""A daemon under attack, which goes on serving others and is afterwards what it was before."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc.aio

from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.http2_client import Client
from tests.support.peers import HOST, KINDS, Served
from tests.support.repositories import Repo

TOKEN = "a secret that attackers do not have"
PREFACE_SECONDS = 3
RPC = f'preface_timeout = "{PREFACE_SECONDS}s"'
MIB = 1 << 20

_CALL_SECONDS = 20
_CALM_SECONDS = 30
_FEW_DESCRIPTORS = 24
"""Pooled git processes and logs come and go."""
_FEW_BYTES = 64 * MIB


def bearer(*, issued: float | None = None, secret: str = TOKEN) -> str:
    """An `authorization` header; issued: Unix seconds, now by default."""
    message = str(int(time.time() if issued is None else issued))
    signature = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return f"Bearer v2.{signature}.{message}"


@dataclass
class Others:
    """What well-behaved clients got. calls: how many were answered."""

    calls: int = 0
    failures: list[BaseException] = field(default_factory=list)


class Siege:
    """A daemon, a repository in it, and what both look like from outside."""

    def __init__(self, served: Served, repo: Repo, oid: str) -> None:
        self.served = served
        self.repo = repo
        self.oid = oid
        self.process = served.daemon.worker

    @contextlib.asynccontextmanager
    async def lifted(self, kind: str) -> AsyncIterator[Others]:
        """An attack on listeners of a kind. Others are served meanwhile, and nothing of it stays behind."""
        await self.serves(kind)
        descriptors, memory = self.process.num_fds(), self.process.memory_info().rss
        others = Others()
        stop = asyncio.Event()
        bystanders = [asyncio.create_task(self._call(each, others, stop)) for each in {kind, "unix"}]
        try:
            yield others
            before = others.calls
            async with asyncio.timeout(_CALL_SECONDS):
                while others.calls < before + 4 and not others.failures:
                    await asyncio.sleep(0.01)
        finally:
            stop.set()
            await asyncio.gather(*bystanders)
        assert not others.failures, others.failures[0]
        await self.calm(descriptors, memory)

    async def calm(self, descriptors: int, memory: int) -> None:
        """Waits until the daemon holds about as many descriptors and bytes as it did before."""
        async with asyncio.timeout(_CALM_SECONDS):
            while self.process.num_fds() > descriptors + _FEW_DESCRIPTORS:
                await asyncio.sleep(0.05)
            while self.process.memory_info().rss > memory + _FEW_BYTES:
                await asyncio.sleep(0.05)
        assert self.served.daemon.runs

    async def serves(self, kind: str) -> None:
        """A new client gets its answers."""
        async with self.served.channel(kind) as channel:
            await self._ask(channel)

    async def _call(self, kind: str, others: Others, stop: asyncio.Event) -> None:
        """Every other round on a new connection, so that accepting is under test too."""
        try:
            async with self.served.channel(kind) as kept:
                while not stop.is_set():
                    await self._ask(kept)
                    await self.serves(kind)
                    others.calls += 2
                    await asyncio.sleep(0.01)
        except (grpc.aio.AioRpcError, AssertionError) as error:
            others.failures.append(error)

    async def _ask(self, channel: grpc.aio.Channel) -> None:
        metadata = [("authorization", bearer())]
        found = await CommitServiceStub(channel).FindCommit(
            FindCommitRequest(repository=self.repo.message, revision=self.oid.encode()),
            metadata=metadata,
            timeout=_CALL_SECONDS,
        )
        assert found.commit.id == self.oid
        there = await RepositoryServiceStub(channel).RepositoryExists(
            RepositoryExistsRequest(repository=self.repo.message), metadata=metadata, timeout=_CALL_SECONDS
        )
        assert there.exists

    async def connect(self, kind: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of whose bytes the test is the master; with TLS, after the handshake."""
        if kind == "unix":
            return await asyncio.open_unix_connection(str(self.served.daemon.socket))
        if kind == "tcp":
            return await asyncio.open_connection(HOST, self.served.tcp)
        context = ssl.create_default_context(cafile=str(self.served.certificate))
        context.set_alpn_protocols(["h2"])
        return await asyncio.open_connection(HOST, self.served.tls, ssl=context)

    async def client(self, kind: str) -> Client:
        """A client that speaks in frames."""
        return Client(*await self.connect(kind))


__all__ = ["KINDS", "MIB", "PREFACE_SECONDS", "RPC", "TOKEN", "Others", "Siege", "bearer"]
