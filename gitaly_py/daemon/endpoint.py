"""A front door with the RPC engine behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gitaly_py.rpc.adapter import Frame
from gitaly_py.rpc.engines.grpcio import GrpcioEngine
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import spawn
from gitaly_py.transport.connections import Connections
from gitaly_py.transport.frontdoor import FrontDoor
from gitaly_py.transport.listeners import Listener
from gitaly_py.transport.relay import RelayEngine

_FOREVER = 365 * 24 * 3600.0


class Endpoint:
    """Serves a frame on listening sockets.

    engine_socket: path of the private socket between front door and engine, in a 0700 folder.
    """

    def __init__(self, frame: Frame[Any, Any], engine_socket: Path, connections: Connections) -> None:
        self._engine = GrpcioEngine(frame, f"unix:{engine_socket}")
        self._door = FrontDoor(
            RelayEngine(str(engine_socket), connections),
            on_connection=lambda kind: metrics.connections.labels(kind).inc(),
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self, listeners: list[Listener]) -> None:
        """Serves on `listeners`, which are the endpoint's from here on."""
        await self._engine.start()
        for listener in listeners:
            self._door.listen(listener)

    async def drain(self, grace: float, force: asyncio.Event) -> bool:
        """Stops accepting and lets running calls finish.

        After `grace` seconds, or once `force` is set, the remaining connections are cut, which
        cancels their calls. Returns whether every call finished by itself.
        """
        await self._door.stop()
        finishing = spawn(self._finish(), name="endpoint stop", owner=self._tasks)
        forced = spawn(force.wait(), name="forced stop", owner=self._tasks)
        await asyncio.wait({finishing, forced}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        clean = finishing.done()
        forced.cancel()
        await self._door.close()
        await finishing
        return clean

    async def _finish(self) -> None:
        await self._engine.stop(_FOREVER)
        # What the engine said last is still on its way through the front door.
        await self._door.wait_closed()
