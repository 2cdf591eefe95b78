"""Other people's gRPC and HTTP/2: a daemon that listens on everything, and programs that talk to it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from tests.support.certificates import self_signed
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port
from tests.support.rails import SECRET, Rails, running_rails
from tests.support.repositories import Repo

HOST = "localhost"
KINDS = ["unix", "tcp", "tls"]
SECONDS = 60
"""What takes longer hangs."""

Options = Sequence[tuple[str, Any]]
_OWN_CONNECTION: Options = [("grpc.use_local_subchannel_pool", 1)]


@dataclass(frozen=True)
class Served:
    """A daemon on a unix socket, TCP and TLS, with a Rails double that allows every push."""

    daemon: Daemon
    rails: Rails
    tcp: int
    tls: int
    certificate: Path

    def repo(self) -> Repo:
        """An empty repository in its storage."""
        return repository_in(self.daemon.storage)

    def url(self, kind: str, path: str) -> str:
        """For clients that speak HTTP; those of a unix socket must be told its path, too."""
        authority = {"unix": HOST, "tcp": f"{HOST}:{self.tcp}", "tls": f"{HOST}:{self.tls}"}[kind]
        return f"http{'s' if kind == 'tls' else ''}://{authority}{path}"

    def target(self, kind: str) -> str:
        """For gRPC clients."""
        return {
            "unix": f"unix:{self.daemon.socket}",
            "tcp": f"{HOST}:{self.tcp}",
            "tls": f"{HOST}:{self.tls}",
        }[kind]

    def channel(self, kind: str, options: Options = (), **more: Any) -> grpc.aio.Channel:
        """An asynchronous channel with a connection of its own."""
        if kind == "tls":
            return grpc.aio.secure_channel(
                self.target(kind), self._credentials(), [*_OWN_CONNECTION, *options], **more
            )
        return grpc.aio.insecure_channel(self.target(kind), [*_OWN_CONNECTION, *options], **more)

    def blocking_channel(self, kind: str, options: Options = ()) -> grpc.Channel:
        """A channel for threads, with a connection of its own."""
        if kind == "tls":
            return grpc.secure_channel(self.target(kind), self._credentials(), [*_OWN_CONNECTION, *options])
        return grpc.insecure_channel(self.target(kind), [*_OWN_CONNECTION, *options])

    def _credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.certificate.read_bytes())


@asynccontextmanager
async def serving(root: Path, engine: str, **options: str) -> AsyncIterator[Served]:
    """A daemon for peers; options go to it. When it ends, its log must tell of no defect."""
    certificate, key = self_signed(HOST)
    (root / "certificate").write_bytes(certificate)
    (root / "key").write_bytes(key)
    (root / "secret").write_bytes(SECRET)
    tcp, tls = free_port(), free_port()
    async with running_rails() as rails:
        daemon = Daemon(
            root,
            engine=engine,
            extra=f'listen_addr = "{HOST}:{tcp}"\ntls_listen_addr = "{HOST}:{tls}"\n',
            tables=f'[tls]\ncertificate_path = "{root}/certificate"\nkey_path = "{root}/key"\n'
            f'[gitlab]\nurl = "{rails.url}"\nsecret_file = "{root}/secret"\n',
            **options,
        ).start()
        try:
            yield Served(daemon, rails, tcp, tls, root / "certificate")
        finally:
            status = daemon.stop()
    assert status == 0
    assert_no_defect(daemon)


def assert_no_defect(daemon: Daemon) -> None:
    """No handler, task or callback of the daemon has failed in a way that nobody foresaw."""
    signs = ("Traceback", "grpc panic", "background task failed", "never retrieved")
    lines = daemon.log.read_text().splitlines()
    assert [line for line in lines if any(sign in line for sign in signs)][:3] == []


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """For tests that run a program which Debian has in `package`."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{package} is not installed")


class Finished(NamedTuple):
    """How a program ended, and what it wrote."""

    status: int
    stdout: bytes
    stderr: str


async def run(*line: str | Path, stdin: bytes = b"", seconds: float = SECONDS) -> Finished:
    """Runs a program to its end. Raises TimeoutError when that takes too long, and kills it."""
    process = await asyncio.create_subprocess_exec(
        *map(str, line),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            stdout, stderr = await process.communicate(stdin)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Finished(process.returncode, stdout, stderr.decode())


def framed(*messages: Message) -> bytes:
    """Messages as the body of a gRPC request has them."""
    bodies = (message.SerializeToString() for message in messages)
    return b"".join(b"\0" + len(body).to_bytes(4) + body for body in bodies)


def unframed(body: bytes) -> list[bytes]:
    """The messages, none of them compressed, in the body of a gRPC response."""
    messages = []
    while body:
        assert body[0] == 0
        stop = 5 + int.from_bytes(body[1:5])
        assert stop <= len(body)
        messages.append(body[5:stop])
        body = body[stop:]
    return messages
