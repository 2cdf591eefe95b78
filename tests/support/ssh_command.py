"""An `ssh` for git that needs no sshd: it does with a daemon what gitlab-shell does (clients.md 1).

git runs `… -o SendEnv=GIT_PROTOCOL git@gitaly "git-upload-pack '/a.git'"`. The rest is in the variable SSH,
which `tests.support.ssh` sets. How the call ended is appended to a file, a line of JSON a call.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

from gitaly_py.pb import ssh_pb2
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.pb.ssh_pb2_grpc import SSHServiceStub
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection

CHUNK = 128 * 1024

FETCH, PUSH, ARCHIVE = "git-upload-pack", "git-receive-pack", "git-upload-archive"


def write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


async def standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=CHUNK)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", 0))
    return reader


class Packets:
    """Takes side-band packets apart and writes what is in them to the streams they name."""

    def __init__(self) -> None:
        self._rest = b""

    async def receive(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= 4:
            length = int(self._rest[:4], 16)
            if length <= 5:
                raise ValueError(f"copy response: packet of {length} bytes")
            if len(self._rest) < length:
                return
            # The other direction goes on meanwhile.
            await asyncio.to_thread(write, {1: 1, 2: 2}[self._rest[4]], self._rest[5:length])
            self._rest = self._rest[length:]

    def end(self) -> None:
        if self._rest:
            raise ValueError("copy response: EOF")


class Shell:
    """One command, for the repository of that path."""

    def __init__(self, settings: dict[str, Any], verb: str, path: str) -> None:
        self.settings = settings
        self.verb = verb
        self.ending: dict[str, Any] = {"verb": verb, "code": "OK", "details": "", "exit_status": None}
        self.common: dict[str, Any] = {
            "repository": Repository(
                storage_name="default", relative_path=path.lstrip("/"), **settings["repository"]
            )
        }
        if verb != ARCHIVE:
            self.common["git_protocol"] = os.environ.get("GIT_PROTOCOL", "")
            self.common["git_config_options"] = settings["options"]
        if verb == PUSH:
            self.common |= {"gl_id": "user-7", "gl_username": "rosa", "gl_repository": "project-9"}
        self.metadata = [("user_id", "user-7"), ("username", "rosa"), ("remote_ip", "10.1.2.3")]

    async def run(self) -> None:
        """Makes the call. Raises RpcError."""
        target = f"unix:{self.settings['socket']}"
        if self.settings["streaming"]:
            await asyncio.to_thread(self.stream, target)
            return
        async with await MultiplexedConnection.dial(target) as connection:
            if self.verb == FETCH:
                await self.fetch(connection)
            else:
                await asyncio.to_thread(self.stream, connection.target)

    async def fetch(self, connection: MultiplexedConnection) -> None:
        """SSHUploadPackWithSidechannel; the server's end is the end, also while our input is open."""

        async def copy_input(channel: ClientSidechannel) -> None:
            stdin = await standard_input()
            while data := await stdin.read(CHUNK):
                await channel.write(data)
            await channel.close_write()

        async def talk(channel: ClientSidechannel) -> None:
            copying = asyncio.ensure_future(copy_input(channel))
            packets = Packets()
            while data := await channel.read():
                await packets.receive(data)
            packets.end()
            copying.cancel()

        stub: Any = SSHServiceStub(connection.channel())  # type: ignore[no-untyped-call]
        request = ssh_pb2.SSHUploadPackWithSidechannelRequest(**self.common)
        with connection.register(talk) as waiter:
            try:
                response = await stub.SSHUploadPackWithSidechannel(
                    request, metadata=[waiter.metadata, *self.metadata]
                )
            finally:
                if waiter.called:
                    await waiter.wait()
        statistics = response.packfile_negotiation_statistics
        self.ending["statistics"] = MessageToDict(statistics, preserving_proto_field_name=True)

    def stream(self, target: str) -> None:
        """The RPCs with streams both ways; grpc.aio would lose a status that comes while it writes."""
        name, kind = {
            FETCH: ("SSHUploadPack", ssh_pb2.SSHUploadPackRequest),
            PUSH: ("SSHReceivePack", ssh_pb2.SSHReceivePackRequest),
            ARCHIVE: ("SSHUploadArchive", ssh_pb2.SSHUploadArchiveRequest),
        }[self.verb]
        make: Callable[..., Any] = kind

        def requests() -> Iterator[Any]:
            yield make(**self.common)
            while data := os.read(0, CHUNK):
                yield make(stdin=data)

        with grpc.insecure_channel(target) as channel:
            stub: Any = SSHServiceStub(channel)  # type: ignore[no-untyped-call]
            for message in getattr(stub, name)(requests(), metadata=self.metadata):
                if message.HasField("exit_status"):
                    self.ending["exit_status"] = message.exit_status.value
                write(2, message.stderr)
                write(1, message.stdout)


async def main() -> int:
    settings = json.loads(os.environ["SSH"])
    verb, path = shlex.split(sys.argv[-1])
    shell = Shell(settings, verb, path)
    status = 0
    try:
        await shell.run()
    except grpc.RpcError as error:
        ended: Any = error
        shell.ending |= {"code": ended.code().name, "details": ended.details()}
        status = 1
        # Of an internal error git has said everything already.
        if ended.code() is not grpc.StatusCode.INTERNAL:
            print(f"remote: {ended.details()}", file=sys.stderr, flush=True)
    with open(settings["endings"], "a") as endings:
        endings.write(json.dumps(shell.ending) + "\n")
    return status


if __name__ == "__main__":
    # A thread may still wait for a git that reads no more.
    os._exit(asyncio.run(main()))
