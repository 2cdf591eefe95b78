"""What the RPCs that run upload-pack, receive-pack and upload-archive share (transport.md 2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from gitaly_py.git.process import Process
from gitaly_py.git.wire.goquote import quote
from gitaly_py.services.app import Call
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn

_log = structlog.get_logger("gitaly")

_TIDYING_ROUNDS = 25
_TIDYING_ROUND_SECONDS = 0.2

_VERSIONS = {"": "v0", "version=1": "v1", "version=2": "v2"}


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


@asynccontextmanager
async def fed(process: Process, source: AsyncIterator[bytes]) -> AsyncIterator[None]:
    """Writes `source` to the standard input of `process` while the block runs, then ends it.

    A process that takes no more input is left to say so by its exit status.
    """
    tasks: set[asyncio.Task[Any]] = set()
    spawn(_feed(process, source), name="feed git", owner=tasks)
    try:
        yield
    finally:
        await end_all(tasks)


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
                    while await process.read():
                        pass
                    await process.exited()
                    break
        raise


async def _feed(process: Process, source: AsyncIterator[bytes]) -> None:
    stdin = process.stdin
    if stdin is None:
        raise ValueError("the process was started without a pipe to its standard input")
    try:
        async for data in source:
            await stdin.write(data)
    except BrokenPipeError:
        return
    finally:
        stdin.close()
