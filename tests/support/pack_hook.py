"""The part of the program that upload-pack starts in place of pack-objects (transport.md 7.2, 8.2)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc.aio

from gitaly_py.hooks.payload import VARIABLE, Hook, HookRepository, Payload, UserDetails
from gitaly_py.pb.hook_pb2 import PackObjectsHookWithSidechannelRequest
from gitaly_py.pb.hook_pb2_grpc import HookServiceStub
from tests.support.repositories import Repo

ARGS = ("pack-objects", "--revs", "--thin", "--stdout", "--progress", "--delta-base-offset")
USER = ("username", "rosa")


class Packed(NamedTuple):
    """What came on the socket, and the error of the call, if it failed."""

    answer: bytes
    error: grpc.aio.AioRpcError | None


class Socket:
    """The client's end of a call's socket. connected: reader and writer, once the daemon has dialled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        self.connected = asyncio.get_running_loop().create_future()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The daemon has dialled."""
        self.connected.set_result((reader, writer))

    async def send(self, stdin: bytes) -> asyncio.StreamReader:
        """Sends all of standard input; where the answer comes from."""
        reader, writer = await self.connected
        writer.write(stdin)
        await writer.drain()
        writer.write_eof()
        return reader

    async def hang_up(self) -> None:
        """Goes away without a word."""
        _, writer = await self.connected
        writer.transport.abort()


@asynccontextmanager
async def listening() -> AsyncIterator[Socket]:
    """A socket for one call."""
    with tempfile.TemporaryDirectory(prefix="gitaly") as folder:
        socket = Socket(Path(folder, "sidechannel"))
        server = await asyncio.start_unix_server(socket.accept, socket.path)
        try:
            yield socket
        finally:
            server.close()
            if socket.connected.done():
                _, writer = socket.connected.result()
                writer.close()


def wanting(*oids: str, have: Sequence[str] = ()) -> bytes:
    """What upload-pack writes to pack-objects."""
    return "".join(f"{line}\n" for line in (*oids, "--not", *have, "")).encode()


def environment(repo: Repo) -> list[str]:
    """The hook's environment."""
    payload = Payload(
        requested_hooks=Hook.PACK_OBJECTS,
        repository=HookRepository.of(repo.message),
        object_format=repo.format.name,  # type: ignore[arg-type]
        user_details=UserDetails(username="rosa", userid="user-7", protocol="http", remote_ip="10.1.2.3"),
    )
    return ["PATH=/bin", f"{VARIABLE}={payload.encode()}"]


def begin(
    channel: grpc.aio.Channel,
    repo: Repo,
    socket: str | Path | None,
    *metadata: tuple[str, str],
    **fields: Any,
) -> Any:
    """Begins the call. fields: of the request, where they are not those of a usual fetch."""
    usual = {
        "repository": repo.message,
        "args": ARGS,
        "environment_variables": environment(repo),
        "remote_ip": "10.1.2.3",
        "git_protocol": "http",
    }
    request = PackObjectsHookWithSidechannelRequest(**{**usual, **fields})
    where = [] if socket is None else [("gitaly-sidechannel-socket", str(socket))]
    stub: Any = HookServiceStub(channel)  # type: ignore[no-untyped-call]
    return stub.PackObjectsHookWithSidechannel(request, metadata=[*where, *metadata], timeout=60)


async def packed(
    channel: grpc.aio.Channel, repo: Repo, stdin: bytes, *metadata: tuple[str, str], **fields: Any
) -> Packed:
    """A whole call, as the program makes it."""
    async with listening() as socket:
        call = begin(channel, repo, socket.path, *(metadata or (USER,)), **fields)
        reader = await socket.send(stdin)
        answer = await reader.read()
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return Packed(answer, error)
        return Packed(answer, None)
