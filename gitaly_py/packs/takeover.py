"""Where the packObjectsHook of the daemon's upload-packs reports (transport.md 7.1).

When it does, upload-pack has written to standard output whatever comes before the pack, since it does not
buffer that. So the daemon may end both and serve the pack itself. See hooks/program/pack_objects.py.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from gitaly_py.hooks.fields import FieldTooLong, read_field, read_fields
from gitaly_py.hooks.installing import install
from gitaly_py.hooks.program import pack_objects as program
from gitaly_py.telemetry.tasks import end_all, spawn

_MAX_STDIN: Final = 256 * 1024 * 1024
"""Bytes of wants and haves: some four million of them."""

_log = structlog.get_logger("gitaly")


class TakeoverError(Exception):
    """What connected does not speak our protocol."""


@dataclass(frozen=True)
class Arrival:
    """A hook that waits for what is to become of its fetch.

    args: what upload-pack wants to run, without `git`. stdin: what it has written to that.
    """

    args: tuple[str, ...]
    stdin: bytes
    _writer: asyncio.StreamWriter
    _git: str

    def run(self) -> None:
        """Lets it run the command by itself."""
        self._answer(program.RUN, os.fsencode(self._git))

    def refuse(self, text: bytes) -> None:
        """Lets the fetch fail. text: for the user."""
        self._answer(program.REFUSE, program.FAILURE + text)

    def _answer(self, verdict: bytes, text: bytes) -> None:
        self._writer.write(verdict + len(text).to_bytes(program.LENGTH_SIZE, "big") + text)


@dataclass(frozen=True)
class Expected:
    """What a fetch is started with so that its hook reports. arrived: it has."""

    config: Sequence[tuple[str, str]]
    env: Mapping[str, str]
    arrived: asyncio.Future[Arrival]


class Takeovers:
    """Serves the hooks of this process's fetches.

    runtime_dir: has a folder `sock.d`; gets the program `gitaly-pack-objects`. git: path of the binary.
    socket_name: of the socket in there, another one a process.
    """

    def __init__(self, runtime_dir: str, git: str, *, socket_name: str = "packs") -> None:
        self._git = git
        self._socket = os.path.join(runtime_dir, "sock.d", socket_name)
        self._program = os.path.join(runtime_dir, "gitaly-pack-objects")
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self._expected: dict[bytes, asyncio.Future[Arrival]] = {}

    async def start(self) -> None:
        """Listens. Raises OSError."""
        install(program, Path(self._program))
        self._server = await asyncio.start_unix_server(self._connected, self._socket)

    async def close(self) -> None:
        """Lets go of hooks that still wait: they fail their fetches."""
        if self._server is None:
            return
        self._server.close()
        await end_all(self._connections)
        with suppress(FileNotFoundError):
            os.unlink(self._socket)

    @contextmanager
    def expecting(self) -> Iterator[Expected]:
        """What one upload-pack within the block is started with; its hook may report once."""
        token = secrets.token_hex(16)
        arrived: asyncio.Future[Arrival] = asyncio.get_running_loop().create_future()
        self._expected[token.encode()] = arrived
        config = [("uploadpack.packObjectsHook", shlex.quote(self._program))]
        env = {program.SOCKET_VARIABLE: self._socket, program.TOKEN_VARIABLE: token}
        try:
            yield Expected(config, env, arrived)
        finally:
            self._expected.pop(token.encode(), None)
            arrived.cancel()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spawn(self._serve(reader, writer), name="pack-objects hook", owner=self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._introduce(reader, writer)
            await reader.read(1)  # until the program ends, in whatever way
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            _log.info("pack-objects hook was ended", error=str(error))
        except (TakeoverError, FieldTooLong) as error:
            _log.warning("pack-objects hook refused", error=str(error))
        finally:
            writer.close()

    async def _introduce(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        token = await read_field(reader, _MAX_STDIN)
        arrived = self._expected.get(token)
        if arrived is None:
            raise TakeoverError("the token belongs to no fetch")
        args = os.fsdecode(await read_field(reader, _MAX_STDIN)).split("\0")
        size, parts = 0, []
        async for data in read_fields(reader, _MAX_STDIN):
            size += len(data)
            if size > _MAX_STDIN:
                raise TakeoverError(f"more than {_MAX_STDIN} bytes of input")
            parts.append(data)
        if not arrived.done():
            arrived.set_result(Arrival(tuple(args[1:]), b"".join(parts), writer, self._git))
