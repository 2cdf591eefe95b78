"""What the RPCs that run upload-pack, receive-pack and upload-archive share (transport.md 2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import structlog

from gitaly_py.git.pipes import PipeReader
from gitaly_py.git.process import Process
from gitaly_py.git.wire.goquote import quote
from gitaly_py.rpc.status import RpcError
from gitaly_py.services.app import Call
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.errors import TransportError
from gitaly_py.transport.sidechannel import METADATA_KEY, Sidechannel, open_sidechannel

_log = structlog.get_logger("gitaly")

_IDLE_SECONDS = 5.0
_TIDYING_ROUNDS = 20
_TIDYING_ROUND_SECONDS = 0.2

_VERSIONS = {"": "v0", "version=1": "v1", "version=2": "v2"}


Observer = Callable[[bytes], object]
"""Sees each piece of a request before git does."""


class InvalidConfigOption(Exception):
    """An entry of git_config_options that is no pair."""


def protocol_environment(call: Call, protocol: str) -> dict[str, str]:
    """`GIT_PROTOCOL` for a request's git_protocol, which is counted (transport.md 2.2).

    A version that is not known means v0.
    """
    version = _VERSIONS.get(protocol, "invalid")
    metrics.git_protocol_requests.labels(call.method.service, call.method.name, version).inc()
    if version == "invalid":
        _log.warning("invalid git protocol requested", git_protocol=protocol)
    return {"GIT_PROTOCOL": protocol} if version in ("v1", "v2") else {}


def config_options(options: Sequence[str]) -> list[tuple[str, str]]:
    """git_config_options as pairs (transport.md 2.1).

    Raises InvalidConfigOption for an option without `=`.
    """
    pairs = []
    for option in options:
        key, separator, value = option.partition("=")
        if not separator:
            raise InvalidConfigOption(f"cannot convert invalid config key: {quote(option)}")
        pairs.append((key, value))
    return pairs


async def sidechannel(call: Call) -> Sidechannel:
    """Opens the side channel that the call asks for. Raises TransportError."""
    ids = call.metadata.all(METADATA_KEY)
    return await open_sidechannel(call.app.connections, call.peer, {METADATA_KEY: ids} if ids else {})


async def sent_on(channel: Sidechannel) -> AsyncGenerator[bytes, None]:
    """What the client sends on a side channel.

    Data that breaks off just ends: git's exit status then tells (transport.md 3).
    """
    with suppress(TransportError):
        while data := await channel.read():
            yield data


async def sent_in(requests: AsyncIterator[Any], field: str) -> AsyncGenerator[bytes, None]:
    """What the client sends in the bytes field of that name."""
    async for request in requests:
        data: bytes = getattr(request, field)
        if data:
            yield data


class Feeding:
    """A request on its way to the standard input of git.

    observers: see each piece before git does. failure: why the rest of the request could not be taken.
    """

    def __init__(
        self,
        process: Process,
        source: AsyncGenerator[bytes, None],
        observers: Sequence[Observer] = (),
    ) -> None:
        self.failure: RpcError | None = None
        self._process = process
        self._source = source
        self._observers = observers
        self._pieces = 0
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Writes until the request ends. What a process that takes no more input would get is dropped."""
        stdin = self._process.stdin
        if stdin is None:
            raise ValueError("the process was started without a pipe to its standard input")
        try:
            async with aclosing(self._source) as source:
                async for data in source:
                    self._pieces += 1
                    for observe in self._observers:
                        observe(data)
                    with suppress(BrokenPipeError):
                        await stdin.write(data)
        except RpcError as error:
            self.failure = error
        finally:
            stdin.close()
            self._ended.set()

    async def drained(self, idle: float = _IDLE_SECONDS) -> None:
        """Waits until the client has sent everything, or has sent nothing for `idle` seconds.

        Some clients lose an answer that is complete while they still send.
        """
        pieces = -1
        while not self._ended.is_set() and pieces < self._pieces:
            pieces = self._pieces
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), idle)


@asynccontextmanager
async def fed(
    process: Process, source: AsyncGenerator[bytes, None], *observers: Observer
) -> AsyncIterator[Feeding]:
    """Writes `source` to the standard input of `process` while the block runs, then ends it.

    A process that takes no more input is left to say so by its exit status. Raises the RpcError of a
    request message that could not be taken.
    """
    tasks: set[asyncio.Task[Any]] = set()
    feeding = Feeding(process, source, observers)
    spawn(feeding.run(), name="feed git", owner=tasks)
    try:
        yield feeding
    finally:
        await end_all(tasks)
    if feeding.failure is not None:
        raise feeding.failure


@asynccontextmanager
async def tidying(process: Process) -> AsyncIterator[None]:
    """Lets a receive-pack whose push is given up end by itself, for a few seconds at most.

    It removes its quarantine when a helper of it (index-pack, a hook) fails, but leaves it behind when a
    signal ends it (git 2.39 and later), or when its report is not read.
    """
    try:
        yield
    except BaseException:
        for _ in range(_TIDYING_ROUNDS):
            await process.end_helpers()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TIDYING_ROUND_SECONDS):
                    await _ended(process)
                    break
        raise


async def _ended(process: Process) -> None:
    """Waits for a process whose output nobody wants."""
    async with asyncio.TaskGroup() as reading:
        for pipe in (process.stdout, process.stderr_pipe):
            if pipe is not None:
                reading.create_task(_exhaust(pipe))
    await process.exited()


async def _exhaust(pipe: PipeReader) -> None:
    while await pipe.read():
        pass
