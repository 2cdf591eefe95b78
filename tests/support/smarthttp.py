"""Requests of git's smart HTTP protocol, made by hand."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc.aio
import psutil

from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest, PostUploadPackWithSidechannelRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.mux import read_all
from tests.support.repositories import Repo

FLUSH = b"0000"
DELIM = b"0001"


def pkt(text: str | bytes) -> bytes:
    """A pkt-line."""
    data = text.encode() if isinstance(text, str) else text
    return b"%04x" % (len(data) + 4) + data


def packets(data: bytes) -> Iterator[bytes | None]:
    """The payloads of pkt-lines; None for a flush."""
    while data:
        length = int(data[:4], 16)
        yield data[4:length] if length else None
        data = data[max(length, 4) :]


def wants(*oids: str, haves: Sequence[str] = (), capabilities: str = "", done: bool = True) -> bytes:
    """A v0 request for objects."""
    first, *others = oids
    lines = [pkt(f"want {first} {capabilities}\n" if capabilities else f"want {first}\n")]
    lines += [pkt(f"want {oid}\n") for oid in others]
    lines += [FLUSH, *(pkt(f"have {oid}\n") for oid in haves)]
    return b"".join(lines) + (pkt("done\n") if done else FLUSH)


def update(
    old: str, new: str, name: str | bytes, pack: bytes = b"", *, capabilities: str = "report-status"
) -> bytes:
    """A push of one reference. pack: what `pack_of` makes; none for a deletion."""
    reference = name.encode() if isinstance(name, str) else name
    return pkt(f"{old} {new} ".encode() + reference + b"\0" + capabilities.encode()) + FLUSH + pack


def pack_of(repo: Repo, *revisions: str) -> bytes:
    """A pack of everything that the revisions reach."""
    return repo.git_bytes(
        "pack-objects", "--revs", "--stdout", "-q", stdin="".join(f"{r}\n" for r in revisions)
    )


def report(answer: bytes) -> list[str]:
    """The lines of a push's report, where it comes without a side band."""
    return [packet.decode().rstrip("\n") for packet in packets(answer) if packet is not None]


def pack_references(repo: Repo, references: Mapping[str, str]) -> None:
    """Makes very many references at once, in place of those that were packed before."""
    lines = (f"{oid} {name}\n" for name, oid in sorted(references.items()))
    Path(repo.git_dir, "packed-refs").write_text("# pack-refs with: sorted \n" + "".join(lines))


def stored_blob(repo: Repo, data: bytes) -> str:
    """Writes a blob without compressing it, for large ones."""
    whole = b"blob %d\0%s" % (len(data), data)
    oid = hashlib.new(repo.format.name, whole).hexdigest()
    path = Path(repo.git_dir, "objects", oid[:2], oid[2:])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole, 0))
    return oid


def noisy(repo: Repo, size: int) -> str:
    """A commit on `main` with a file of `size` bytes that can't be compressed."""
    blob = stored_blob(repo, os.urandom(size))
    return repo.commit("noise\n", {"noise": ("100644", blob)}, ref="refs/heads/main")


class Fetched(NamedTuple):
    """What a fetch over a side channel brought. error: how the call failed, if it did."""

    answer: bytes
    response: Any
    error: grpc.aio.AioRpcError | None


Talk = Callable[[ClientSidechannel], Awaitable[bytes]]


async def fetch_with(
    connection: MultiplexedConnection,
    request: PostUploadPackWithSidechannelRequest,
    talk: Talk,
    *metadata: tuple[str, str],
) -> Fetched:
    """Calls PostUploadPackWithSidechannel; `talk` speaks for the client and returns what it was answered."""
    answers: list[bytes] = []

    async def callback(channel: ClientSidechannel) -> None:
        answers.append(await talk(channel))

    stub: Any = SmartHTTPServiceStub(connection.channel())  # type: ignore[no-untyped-call]
    response, failure = None, None
    with connection.register(callback) as waiter:
        try:
            response = await stub.PostUploadPackWithSidechannel(
                request, metadata=[waiter.metadata, *metadata], timeout=60
            )
        except grpc.aio.AioRpcError as error:
            failure = error
        if waiter.called:
            await waiter.wait()
    return Fetched(answers[0] if answers else b"", response, failure)


def sending(body: bytes) -> Talk:
    """Speaks as workhorse does: the whole request, its end, and only then the answer."""

    async def talk(channel: ClientSidechannel) -> bytes:
        await channel.write(body)
        await channel.close_write()
        return await read_all(channel)

    return talk


def sending_raw(frames: bytes) -> Talk:
    """Sends bytes that need not be proper frames, and ends its half without saying so."""

    async def talk(channel: ClientSidechannel) -> bytes:
        await channel._stream.write(frames)
        channel._stream.close()
        return await read_all(channel)

    return talk


PUSHER: Mapping[str, str] = {"gl_id": "user-7", "gl_username": "rosa", "gl_repository": "project-9"}


def begin_push(
    channel: grpc.aio.Channel,
    repo: Repo,
    pieces: Iterable[bytes],
    *,
    first: Mapping[str, Any] = PUSHER,
    rest: asyncio.Future[bytes] | None = None,
    metadata: Sequence[tuple[str, str]] = (),
) -> Any:
    """Begins a PostReceivePack.

    first: the first message's fields. rest: what comes last; the requests stay open until it is there.
    """

    async def requests() -> AsyncIterator[PostReceivePackRequest]:
        yield PostReceivePackRequest(repository=repo.message, **first)
        for piece in pieces:
            yield PostReceivePackRequest(data=piece)
        if rest is not None:
            yield PostReceivePackRequest(data=await rest)

    stub: Any = SmartHTTPServiceStub(channel)  # type: ignore[no-untyped-call]
    return stub.PostReceivePack(requests(), metadata=[("remote_ip", "10.1.2.3"), *metadata])


def creation(
    repo: Repo, source: Repo, *, capabilities: str = "report-status", noise: int = 50
) -> tuple[str, bytes]:
    """A commit that `source` makes, and the body that pushes it to `main` of `repo`."""
    oid = source.commit("new\n", {"file": os.urandom(noise)})
    capabilities += f" object-format={repo.format.name}"
    pack = pack_of(source, oid)
    return oid, update(repo.format.zero_oid, oid, "refs/heads/main", pack, capabilities=capabilities)


def git_processes(daemon: Daemon, repo: Repo) -> list[int]:
    """The daemon's git processes that work on a repository."""
    return [child.pid for child in daemon.children() if repo.path in arguments_of(child)]


def arguments_of(process: psutil.Process) -> list[str]:
    """The command line; nothing for a process that is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def never() -> asyncio.Future[bytes]:
    """For requests that stay open."""
    return asyncio.get_running_loop().create_future()
