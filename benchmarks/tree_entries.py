"""Listing trees against `git ls-tree`, as a caller sees it end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Any

from benchmarks.harness import Row, medians, running_daemon, workspace
from gitaly_py.pb.commit_pb2 import GetTreeEntriesRequest, GetTreeEntriesResponse
from gitaly_py.pb.shared_pb2 import PaginationParameter
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.repositories import EPOCH, Repo

FOLDERS = 1000
FILES_A_FOLDER = 49
WIDE = 1000
"""Folders side by side, each with a folder and a file in it."""

Work = Callable[[], Awaitable[object]]

DETAILED = True


async def run(quick: bool) -> list[Row]:
    rounds = 5 if quick else 15
    with workspace() as root:
        async with running_daemon(root) as daemon:
            repo = repository_in(daemon.storage)
            repo.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(_commit()))
            repo.git("repack", "-adq")
            everything = _listing(daemon, repo, path=b"lib", recursive=True)
            all_by_git = _git(repo, "-r", "main:lib")
            pairs: dict[str, tuple[Work, Work, float | None]] = {
                "GetTreeEntries: 50,000 entries, recursive": (everything, all_by_git, 2.0),
                "GetTreeEntries: the same, parsed by the caller": (
                    _listing(daemon, repo, parsed=True, path=b"lib", recursive=True),
                    all_by_git,
                    None,
                ),
                "GetTreeEntries: the same, trees first": (
                    _listing(daemon, repo, path=b"lib", recursive=True, sort="TREES_FIRST"),
                    all_by_git,
                    None,
                ),
                "GetTreeEntries: the same, a page of 20 from the middle": (
                    _listing(daemon, repo, path=b"lib", recursive=True, pagination_params=_middle(repo)),
                    all_by_git,
                    None,
                ),
                "GetTreeEntries: 1,000 folders with flat paths": (
                    _listing(daemon, repo, path=b"wide"),
                    _git(repo, "main:wide"),
                    None,
                ),
                "GetTreeEntries: 49 files of one folder": (
                    _listing(daemon, repo, path=b"lib/folder0500"),
                    _git(repo, "main:lib/folder0500"),
                    None,
                ),
            }
            rows = []
            for name, (ours, gits, limit) in pairs.items():
                measured, reference = await medians(rounds, ours, gits)
                rows.append(Row(name, measured * 1e3, reference * 1e3, "ms", limit))
            rows.append(await _cpu(daemon, everything, all_by_git, rounds))
            return rows


def _listing(daemon: Daemon, repo: Repo, *, parsed: bool = False, **fields: Any) -> Work:
    """Takes all messages of a listing, parsed or as they are on the wire."""
    request = GetTreeEntriesRequest(repository=repo.message, revision=b"main", **fields)
    call = daemon.channel.unary_stream(
        "/gitaly.CommitService/GetTreeEntries",
        request_serializer=GetTreeEntriesRequest.SerializeToString,
        response_deserializer=GetTreeEntriesResponse.FromString if parsed else None,
    )
    return lambda: _drained(call(request))


def _middle(repo: Repo) -> PaginationParameter:
    return PaginationParameter(limit=20, page_token=repo.git("rev-parse", "main:lib/folder0500"))


async def _cpu(daemon: Daemon, ours: Work, gits: Work, rounds: int) -> Row:
    """The daemon's own processor time; that of the git process it starts is not in it."""
    process = daemon.worker
    before = process.cpu_times()
    for _ in range(rounds):
        await ours()
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    (reference,) = await medians(rounds, gits)
    return Row("GetTreeEntries: 50,000 entries, daemon's CPU", spent / rounds * 1e3, reference * 1e3, "ms")


async def _drained(stream: AsyncIterable[object]) -> None:
    async for _ in stream:
        pass


def _git(repo: Repo, *arguments: str) -> Work:
    async def work() -> None:
        await asyncio.to_thread(repo.git_bytes, "ls-tree", *arguments)

    return work


def _commit() -> Iterator[bytes]:
    yield b"blob\nmark :1\ndata 1\nx\n"
    yield b"commit refs/heads/main\ncommitter C <c@example.com> %d +0000\ndata 1\nm\n" % EPOCH
    for folder in range(FOLDERS):
        for file in range(FILES_A_FOLDER):
            yield b"M 100644 :1 lib/folder%04d/some_source_file_%02d.rb\n" % (folder, file)
    for folder in range(WIDE):
        yield b"M 100644 :1 wide/%04d/only/file\n" % folder
