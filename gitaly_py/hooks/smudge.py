"""LFS objects in place of their pointers, for git commands that write files (repository.md, GetArchive)."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import structlog

from gitaly_py.git.filtering import FilterProtocolError, Smudge, SmudgeFailed, serve_smudge
from gitaly_py.git.pipes import PipeReader, PipeWriter
from gitaly_py.git.wire.errors import MalformedPacket
from gitaly_py.git.wire.lfs import parse_pointer
from gitaly_py.git.wire.pktline import MAX_PAYLOAD
from gitaly_py.hooks.installing import install
from gitaly_py.hooks.program import lfs_smudge as program
from gitaly_py.rails.errors import InternalApiError
from gitaly_py.rails.stand_alone import NoInternalApi
from gitaly_py.telemetry.tasks import end_all, spawn

if TYPE_CHECKING:
    # Its libraries are large, and a daemon that stands alone needs none of them.
    from gitaly_py.rails.client import InternalApi


_MAX_POINTER = 1023
"""Bytes of the longest file that LFS clients take for a pointer: those with extensions exceed 200."""

_NAME_BYTES = 5
"""Makes a name of seven characters, no longer than that of the socket tried at start (daemon.md 1.4)."""

_log = structlog.get_logger("gitaly")


class LfsSmudge:
    """Makes git ask the daemon, and the daemon Rails, for the LFS objects of one command.

    runtime_dir: has a folder `sock.d`; gets the program `gitaly-lfs-smudge`.
    """

    def __init__(self, api: InternalApi | NoInternalApi, runtime_dir: str) -> None:
        self._api = api
        self._sockets = os.path.join(runtime_dir, "sock.d")
        self._program = os.path.join(runtime_dir, "gitaly-lfs-smudge")
        install(program, Path(self._program))

    @asynccontextmanager
    async def filtering(
        self, gl_repository: str, *, remote_ip: str = ""
    ) -> AsyncIterator[Sequence[tuple[str, str]]]:
        """Configuration for a git command within the block; empty without a Rails app.

        gl_repository: Rails' name of the repository. remote_ip: for whom the command runs. Requests are made
        in the caller's context. Raises OSError when there can be no socket.
        """
        if isinstance(self._api, NoInternalApi):
            yield ()
            return
        path = os.path.join(self._sockets, secrets.token_urlsafe(_NAME_BYTES))
        smudge = partial(_smudge, self._api, gl_repository, remote_ip)
        loop = asyncio.get_running_loop()
        conversations: set[asyncio.Task[Any]] = set()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as offers:
            offers.setblocking(False)
            offers.bind(path)
            loop.add_reader(offers, _accept, offers, smudge, conversations)
            try:
                yield [("filter.lfs.process", shlex.join([self._program, path]))]
            finally:
                loop.remove_reader(offers)
                os.unlink(path)
                await end_all(conversations)


def _accept(offers: socket.socket, smudge: Smudge, conversations: set[asyncio.Task[Any]]) -> None:
    _, (reading, writing), _, _ = socket.recv_fds(offers, 1, 2, socket.MSG_CMSG_CLOEXEC)
    spawn(_serve(PipeReader(reading), PipeWriter(writing), smudge), name="LFS smudge", owner=conversations)


async def _serve(reader: PipeReader, writer: PipeWriter, smudge: Smudge) -> None:
    with closing(reader), closing(writer):
        try:
            await serve_smudge(reader, writer, smudge)
        except BrokenPipeError:
            _log.info("git was ended while it filtered")
        except (FilterProtocolError, MalformedPacket) as error:
            _log.warning("git's filter protocol failed", error=str(error))


async def _smudge(
    api: InternalApi, gl_repository: str, remote_ip: str, content: IO[bytes]
) -> AsyncGenerator[bytes, None]:
    pointer = _pointer(content)
    if pointer is not None:
        try:
            async with api.lfs_object(pointer, gl_repository, remote_ip=remote_ip) as found:
                if found is not None:
                    async for piece in found:
                        yield piece
                    return
        except InternalApiError as error:
            _log.error("LFS object not loaded", oid=pointer, error=str(error))
            raise SmudgeFailed from error
    while piece := content.read(MAX_PAYLOAD):
        yield piece


def _pointer(content: IO[bytes]) -> str | None:
    """The object that `content` stands for, or None; leaves it at its beginning."""
    beginning = content.read(_MAX_POINTER + 1)
    content.seek(0)
    if len(beginning) > _MAX_POINTER:
        return None
    pointer = parse_pointer(beginning)
    return None if pointer is None else pointer.oid.decode()
