"""The gateway's connection to the daemon."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc.aio

from gitaly_py.config.gateway import GatewayConfig
from gitaly_py.pb.repository_pb2 import CreateRepositoryRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.rpc.credentials import bearer
from gitaly_py.transport.client import MultiplexedConnection
from gitaly_py.transport.errors import TransportError

_OPTIONS = (
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
_WINDOW = 4 * 1024 * 1024
"""Side channel window in bytes; the gateway is near the daemon and reads as fast as its clients do."""


class Unreachable(Exception):
    """The daemon can't be reached."""


class Upstream:
    """One multiplexed connection to the daemon, made when it is first needed and again when it was lost."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._connection: MultiplexedConnection | None = None
        self._dialling = asyncio.Lock()

    async def connection(self) -> MultiplexedConnection:
        """A live connection. Raises Unreachable."""
        async with self._dialling:
            if self._connection is not None and not self._connection.alive:
                await self._connection.close()
                self._connection = None
            if self._connection is None:
                try:
                    self._connection = await MultiplexedConnection.dial(
                        self._config.gitaly_address, window=_WINDOW
                    )
                except (OSError, TransportError) as error:
                    raise Unreachable(str(error)) from error
            return self._connection

    async def smart_http(self) -> SmartHTTPServiceStub:
        """A client of SmartHTTPService. Raises Unreachable."""
        return SmartHTTPServiceStub(await self._channel())  # type: ignore[no-untyped-call]

    def repository(self, relative_path: str) -> Repository:
        """The message that addresses a repository of the gateway's storage."""
        project = relative_path.removesuffix(".git")
        return Repository(
            storage_name=self._config.storage,
            relative_path=relative_path,
            gl_repository=project,
            gl_project_path=project,
        )

    async def create(self, relative_path: str) -> None:
        """Makes a repository; one that is there by now is fine. Raises AioRpcError, Unreachable."""
        stub: Any = RepositoryServiceStub(await self._channel())  # type: ignore[no-untyped-call]
        request = CreateRepositoryRequest(repository=self.repository(relative_path))
        try:
            await stub.CreateRepository(request, metadata=self.metadata())
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise

    def metadata(self, *, user: str = "", remote_ip: str = "") -> list[tuple[str, str]]:
        """What every call carries: a fresh token, who asks, and from where."""
        pairs = [("x-gitlab-client-name", "gitaly-py-gateway")]
        if self._config.gitaly_token:
            pairs.append(("authorization", bearer(self._config.gitaly_token, int(time.time()))))
        if user:
            pairs.append(("username", user))
        if remote_ip:
            pairs.append(("remote_ip", remote_ip))
        return pairs

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _channel(self) -> grpc.aio.Channel:
        return (await self.connection()).channel(_OPTIONS)
