"""Listing blobs against `git rev-list | git cat-file`, as a caller sees it end to end."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from benchmarks.harness import Row, medians, running_daemon, workspace
from gitaly_py.pb.blob_pb2 import ListAllBlobsRequest, ListBlobsRequest, ListLFSPointersRequest
from tests.support.blobs import pointer
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.repositories import ENVIRONMENT, EPOCH, GIT, Repo

BLOBS = 50_000
FILES_A_FOLDER = 50
FILTERS = "--objects --in-commit-order --filter=object:type=blob --filter-provided-objects main"

Work = Callable[[], Awaitable[object]]

DETAILED = True


async def run(quick: bool) -> list[Row]:
    rounds = 3 if quick else 11
    with workspace() as root:
        async with running_daemon(root) as daemon:
            repo = repository_in(daemon.storage)
            repo.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(_commit()))
            repo.git("repack", "-adq")
            listing = {"repository": repo.message, "revisions": ["main"]}
            rev_list = f"rev-list {FILTERS} --no-object-names"
            pairs: dict[str, tuple[Work, Work, float | None]] = {
                "ListBlobs: 50,000 blobs": (
                    _listing(daemon, ListBlobsRequest(**listing)),
                    _git(repo, rev_list, "cat-file --batch-check --buffer"),
                    1.5,
                ),
                "ListBlobs: with their contents": (
                    _listing(daemon, ListBlobsRequest(**listing, bytes_limit=-1)),
                    _git(repo, rev_list, "cat-file --batch --buffer"),
                    1.5,
                ),
                "ListBlobs: with their paths": (
                    _listing(daemon, ListBlobsRequest(**listing, with_paths=True)),
                    _git(
                        repo,
                        f"rev-list {FILTERS} --object-names",
                        "cat-file --batch-check='%(objectname) %(objectsize) %(rest)' --buffer",
                    ),
                    None,
                ),
                "ListAllBlobs: the same blobs": (
                    _listing(daemon, ListAllBlobsRequest(repository=repo.message)),
                    _git(repo, "cat-file --batch-check --batch-all-objects --unordered --buffer"),
                    None,
                ),
                "ListLFSPointers: every other blob is a pointer": (
                    _listing(daemon, ListLFSPointersRequest(**listing)),
                    _git(repo, f"{rev_list} --filter=blob:limit=200", "cat-file --batch --buffer"),
                    None,
                ),
            }
            rows = []
            for name, (ours, gits, limit) in pairs.items():
                measured, reference = await medians(rounds, ours, gits)
                rows.append(Row(name, measured * 1e3, reference * 1e3, "ms", limit))
            return rows


def _listing(daemon: Daemon, request: Message) -> Work:
    """Takes all messages of a listing as they are on the wire."""
    name = type(request).__name__.removesuffix("Request")
    call = daemon.channel.unary_stream(
        f"/gitaly.BlobService/{name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=None,
    )
    return lambda: _drained(call(request))


async def _drained(stream: AsyncIterable[object]) -> None:
    async for _ in stream:
        pass


def _git(repo: Repo, *commands: str) -> Work:
    line = " | ".join(f"{GIT} --git-dir {repo.git_dir} {command}" for command in commands)
    options: dict[str, Any] = {"shell": True, "check": True, "stdout": subprocess.DEVNULL}

    async def work() -> None:
        await asyncio.to_thread(subprocess.run, line, env=ENVIRONMENT, **options)

    return work


def _commit() -> Iterator[bytes]:
    for number in range(BLOBS):
        data = pointer(number + 1) if number % 2 else b"line %d of a source file\n" % number * 6
        yield b"blob\nmark :%d\ndata %d\n%b\n" % (number + 1, len(data), data)
    yield b"commit refs/heads/main\ncommitter C <c@example.com> %d +0000\ndata 1\nm\n" % EPOCH
    for number in range(BLOBS):
        folder, file = divmod(number, FILES_A_FOLDER)
        yield b"M 100644 :%d lib/folder%04d/some_source_file_%02d.rb\n" % (number + 1, folder, file)
