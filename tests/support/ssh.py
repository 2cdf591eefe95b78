"""git over `ssh://` to a daemon, and the calls that lie under it made by hand."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc.aio
from google.protobuf.message import Message

from gitaly_py.pb import ssh_pb2
from gitaly_py.pb.ssh_pb2_grpc import SSHServiceStub
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.plain_git import PlainGit
from tests.support.repositories import Repo
from tests.support.smarthttp import PUSHER, Fetched, Talk, packets, report

ROOT = Path(__file__).parents[2]


class SshGit(PlainGit):
    """A user's git whose ssh is `tests.support.ssh_command`.

    streaming: fetch by messages over a plain connection, as old clients do, and not on a side channel.
    options: git_config_options of every call. repository: further fields of its message.
    """

    def __init__(
        self,
        home: Path,
        daemon: Daemon,
        *,
        streaming: bool = False,
        protocol: int = 2,
        options: Sequence[str] = (),
        config: Sequence[str] = (),
    ) -> None:
        super().__init__(home, config, protocol=protocol)
        self._endings = home / "endings"
        settings = {
            "socket": str(daemon.socket),
            "streaming": streaming,
            "options": list(options),
            "repository": {"gl_repository": "project-1", "gl_project_path": "group/project"},
            "endings": str(self._endings),
        }
        self.environment |= {
            "GIT_SSH_COMMAND": f"{sys.executable} -m tests.support.ssh_command",
            "GIT_SSH_VARIANT": "ssh",
            "PYTHONPATH": str(ROOT),
            "SSH": json.dumps(settings),
        }

    def url(self, relative_path: str) -> str:
        """Where a repository is."""
        return f"ssh://git@gitaly/{relative_path}"

    @property
    def endings(self) -> list[dict[str, Any]]:
        """How the calls ended, in order."""
        if not self._endings.exists():
            return []
        return [json.loads(line) for line in self._endings.read_text().splitlines()]


def bands(data: bytes) -> dict[int, bytes]:
    """What came on each band, each as a whole; a packet without data is an error, as it is to clients."""
    found = {1: b"", 2: b""}
    while data:
        length = int(data[:4], 16)
        assert 5 < length <= 65520, data[:20]
        assert len(data) >= length, "a packet is cut off"
        found[data[4]] += data[5:length]
        data = data[length:]
    return found


async def fetch_over_ssh(
    connection: MultiplexedConnection,
    request: ssh_pb2.SSHUploadPackWithSidechannelRequest,
    talk: Talk,
    *metadata: tuple[str, str],
) -> Fetched:
    """Calls SSHUploadPackWithSidechannel; `talk` speaks for the client and returns what it was answered."""
    answers: list[bytes] = []

    async def callback(channel: ClientSidechannel) -> None:
        answers.append(await talk(channel))

    stub: Any = SSHServiceStub(connection.channel())  # type: ignore[no-untyped-call]
    response, failure = None, None
    with connection.register(callback) as waiter:
        try:
            response = await stub.SSHUploadPackWithSidechannel(
                request, metadata=[waiter.metadata, *metadata], timeout=60
            )
        except grpc.aio.AioRpcError as error:
            failure = error
        if waiter.called:
            await waiter.wait()
    return Fetched(answers[0] if answers else b"", response, failure)


class Answer(NamedTuple):
    """What a call with streams both ways brought. error: how it failed, if it did."""

    stdout: bytes
    stderr: bytes
    exit_statuses: list[int]
    error: grpc.aio.AioRpcError | None
    messages: list[Any]


def begin(
    channel: grpc.aio.Channel,
    name: str,
    repo: Repo,
    pieces: Iterable[bytes] = (),
    *,
    first: Mapping[str, Any] | None = None,
    rest: asyncio.Future[bytes] | None = None,
) -> Any:
    """Begins `name`, one of the RPCs with streams both ways.

    first: further fields of the first message; of a push, the user unless given. rest: what comes last; the
    requests stay open until it is there.
    """
    kind: Any = getattr(ssh_pb2, f"{name}Request")
    fields = (PUSHER if name == "SSHReceivePack" else {}) if first is None else first

    async def requests() -> AsyncIterator[Message]:
        yield kind(repository=repo.message, **fields)
        for piece in pieces:
            yield kind(stdin=piece)
        if rest is not None:
            yield kind(stdin=await rest)

    stub: Any = SSHServiceStub(channel)  # type: ignore[no-untyped-call]
    return getattr(stub, name)(requests(), metadata=[("remote_ip", "10.1.2.3")], timeout=60)


async def answered(call: Any) -> Answer:
    """Everything that a call brings."""
    messages: list[Any] = []
    failure = None
    try:
        while (message := await call.read()) is not grpc.aio.EOF:
            messages.append(message)
    except grpc.aio.AioRpcError as error:
        failure = error
    return Answer(
        b"".join(message.stdout for message in messages),
        b"".join(message.stderr for message in messages),
        [message.exit_status.value for message in messages if message.HasField("exit_status")],
        failure,
        messages,
    )


def failure_of(result: Fetched | Answer) -> tuple[grpc.StatusCode, str | None]:
    """Code and text of a call that must have failed."""
    assert result.error is not None
    return result.error.code(), result.error.details()


async def push_over_ssh(channel: grpc.aio.Channel, repo: Repo, *pieces: bytes, **first: Any) -> Answer:
    """A whole SSHReceivePack. first: fields of the first message, beside those of a user."""
    return await answered(begin(channel, "SSHReceivePack", repo, pieces, first={**PUSHER, **first}))


def behind_advertisement(pushed: Answer) -> bytes:
    """What receive-pack says after it was told what to do."""
    data = pushed.stdout
    while length := int(data[:4], 16):
        data = data[length:]
    return data[4:]


def reported(pushed: Answer) -> list[str]:
    """The lines of a push's report, where it comes without a side band."""
    return report(behind_advertisement(pushed))


def banded(pushed: Answer) -> dict[int, bytes]:
    """What came on each of git's own bands."""
    found: dict[int, bytes] = {}
    for packet in packets(behind_advertisement(pushed)):
        if packet:
            found[packet[0]] = found.get(packet[0], b"") + packet[1:]
    return found
