"""A front door with the RPC engine behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gitaly_py.config.rpc import Rpc
from gitaly_py.rpc.adapter import Frame
from gitaly_py.rpc.engines.grpcio import GrpcioEngine
from gitaly_py.rpc.engines.native import NativeEngine, NativeSettings
from gitaly_py.rpc.http2.limits import Limits
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import spawn
from gitaly_py.transport.connections import Connections
from gitaly_py.transport.frontdoor import ALONE, FrontDoor, Share
from gitaly_py.transport.listeners import Listener
from gitaly_py.transport.relay import Engine, RelayEngine

_FOREVER = 365 * 24 * 3600.0
_GREETING_SECONDS = 1.0
"""For clients that were accepted a moment ago to say what they speak: only then can they be sent off."""


class Endpoint:
    """Serves a frame on listening sockets with the engine that `rpc.engine` names.

    engine_socket: path of a private socket, in a 0700 folder, for an engine that needs one. share: of the
    connections that come in on sockets which others listen on as well.
    """

    def __init__(
        self,
        frame: Frame[Any, Any],
        rpc: Rpc,
        engine_socket: Path,
        connections: Connections,
        share: Share = ALONE,
    ) -> None:
        self._engine: NativeEngine | GrpcioEngine
        serve: Engine
        if rpc.engine == "native":
            serve = self._engine = NativeEngine(frame, connections, native_settings(rpc))
        else:
            self._engine = GrpcioEngine(
                frame,
                f"unix:{engine_socket}",
                max_message=rpc.max_message_size,
                ping_interval=rpc.keepalive_min_interval.seconds,
                ping_strikes=rpc.max_ping_strikes,
            )
            serve = RelayEngine(str(engine_socket), connections)
        self._door = FrontDoor(
            serve,
            on_connection=lambda kind: metrics.connections.labels(kind).inc(),
            handshake_timeout=rpc.preface_timeout.seconds,
            share=share,
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def ended(self) -> int:
        """Connections that have ended so far."""
        return self._door.ended

    async def start(self, listeners: list[Listener]) -> None:
        """Serves on `listeners`, which are the endpoint's from here on."""
        await self._engine.start()
        for listener in listeners:
            self._door.listen(listener)

    async def refuse(self) -> None:
        """Stops accepting; what runs goes on."""
        await self._door.stop()

    async def drain(self, grace: float, force: asyncio.Event) -> bool:
        """Stops accepting and lets running calls finish.

        After `grace` seconds, or once `force` is set, the remaining connections are cut, which
        cancels their calls. Returns whether every call finished by itself.
        """
        await self._door.stop(min(grace, _GREETING_SECONDS))
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


def native_settings(rpc: Rpc) -> NativeSettings:
    """The section of the configuration in the units of the engine."""
    return NativeSettings(
        limits=Limits(
            max_streams=rpc.max_concurrent_streams,
            max_header_list=rpc.max_header_list_size,
            max_continuations=rpc.max_continuation_frames,
            max_frame=rpc.max_frame_size,
            stream_window=rpc.stream_window,
            connection_window=rpc.connection_window,
            resets=rpc.max_resets_per_second,
            settings=rpc.max_settings_per_second,
            empty_frames=rpc.max_empty_frames_per_second,
            ping_interval=rpc.keepalive_min_interval.seconds,
            ping_strikes=rpc.max_ping_strikes,
        ),
        max_message=rpc.max_message_size,
        max_memory=rpc.max_connection_memory,
        preface_timeout=rpc.preface_timeout.seconds,
        keepalive_time=rpc.keepalive_time.seconds,
        keepalive_timeout=rpc.keepalive_timeout.seconds,
        stall_timeout=rpc.stall_timeout.seconds,
    )
