"""The native engine: every connection that the front door hands to it, served in this process."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

from grpc import StatusCode

from gitaly_py.rpc.adapter import Frame
from gitaly_py.rpc.engines.native.connection import NativeConnection
from gitaly_py.rpc.engines.native.settings import NativeSettings
from gitaly_py.rpc.methods import all_methods
from gitaly_py.rpc.status import Status
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.connections import ConnectionInfo, Connections
from gitaly_py.transport.wire import Wire

CHECK_SECONDS: Final = 1.0
CHECKED_AT_ONCE: Final = 200  # connections, which takes less than a millisecond


class NativeEngine:
    """Serves a frame on wires; see `transport.relay.Engine` for how it is called.

    connections: where handlers look up the connection of their call.
    """

    def __init__(self, frame: Frame[Any, Any], connections: Connections, settings: NativeSettings) -> None:
        self.frame = frame
        self.rpcs = frame.rpcs
        self.settings = settings
        self._services = {rpc.method.service for rpc in frame.rpcs.values()}
        self._services.update(method.service for method in all_methods())
        self._registry = connections
        self._numbers = itertools.count(1)
        self._connections: set[NativeConnection] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._draining = False

    async def start(self) -> None:
        """Begins to watch over connections."""
        spawn(self._watch(), name="connection checks", owner=self._tasks)

    async def stop(self, grace: float) -> None:
        """Says GOAWAY on every connection and lets running calls finish for at most `grace` seconds.

        Then cuts the connections that are left. Returns when all calls have ended.
        """
        self._draining = True
        for connection in list(self._connections):
            connection.drain()
        serving = {connection.over for connection in self._connections}
        if serving:
            _, left = await asyncio.wait(serving, timeout=grace)
            for connection in list(self._connections):
                connection.cut()
            if left:
                await asyncio.wait(left)
        await end_all(self._tasks)

    async def __call__(self, wire: Wire, first: bytes, info: ConnectionInfo) -> None:
        """Serves one connection to its end, and returns after the last of its handlers."""
        peer = f"native:{id(self):x}:{next(self._numbers)}"
        self._registry.add(peer, info)
        connection = NativeConnection(self, wire, peer, info)
        self._connections.add(connection)
        try:
            connection.start(first)
            if self._draining:
                connection.drain()
            await connection.closed
        finally:
            try:
                await connection.end()
            finally:
                self._connections.discard(connection)
                self._registry.remove(peer)
                connection.over.set_result(None)

    def unknown(self, path: str) -> Status:
        """The status of a call to a method that is not there (gRPC's own texts)."""
        service, _, name = path.removeprefix("/").rpartition("/")
        if not path.startswith("/") or not service:
            return Status(StatusCode.UNIMPLEMENTED, f'malformed method name: "{path}"')
        if service in self._services:
            return Status(StatusCode.UNIMPLEMENTED, f"unknown method {name} for service {service}")
        return Status(StatusCode.UNIMPLEMENTED, f"unknown service {service}")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            waiting = list(self._connections)
            while waiting:
                self._check(waiting, loop.time())
                await asyncio.sleep(0)

    def _check(self, waiting: list[NativeConnection], now: float) -> None:
        """Looks at some of the connections, so that others than they get a turn of the event loop.

        A function of its own: no connection that is gone is held by a variable while `_watch` sleeps.
        """
        for _ in range(min(len(waiting), CHECKED_AT_ONCE)):
            waiting.pop().check(now)
