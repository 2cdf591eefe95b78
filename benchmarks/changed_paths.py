"""Lists of changed paths against git, as a caller sees them end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from benchmarks.harness import Row, medians, running_daemon, workspace
from gitaly_py.pb.diff_pb2 import DiffStatsRequest, FindChangedPathsRequest
from gitaly_py.pb.repository_pb2 import GetRawChangesRequest
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.repositories import EPOCH, Repo

Work = Callable[[], Awaitable[object]]

PATHS = 10_000
COMMITS = 1000
LIMIT = 1.5

DETAILED = True


async def run(quick: bool) -> list[Row]:
    rounds = 5 if quick else 15
    with workspace() as root:
        async with running_daemon(root) as daemon:
            repo = repository_in(daemon.storage)
            repo.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(_imported()))
            repo.git("repack", "-adq")
            commits = repo.git("rev-list", "all..many").split()
            pairs = {
                f"FindChangedPaths: {PATHS:,} paths of a commit": (
                    _paths(daemon, repo, ["all"]),
                    _diff_tree(repo, ["all"]),
                ),
                f"FindChangedPaths: {PATHS:,} paths of {COMMITS:,} commits": (
                    _paths(daemon, repo, commits),
                    _diff_tree(repo, commits),
                ),
                f"DiffStats: {PATHS:,} files": (
                    _call(
                        daemon,
                        "DiffService/DiffStats",
                        DiffStatsRequest(
                            repository=repo.message, left_commit_id="all~", right_commit_id="all"
                        ),
                    ),
                    _git(repo, "diff", "--numstat", "-z", "all~", "all"),
                ),
                f"GetRawChanges: {PATHS:,} files": (
                    _call(
                        daemon,
                        "RepositoryService/GetRawChanges",
                        GetRawChangesRequest(
                            repository=repo.message, from_revision="all~", to_revision="all"
                        ),
                    ),
                    _raw_changes(repo),
                ),
            }
            rows = []
            for name, (ours, gits) in pairs.items():
                measured, reference = await medians(rounds, ours, gits)
                rows.append(Row(name, measured * 1e3, reference * 1e3, "ms", LIMIT))
            return rows


def _paths(daemon: Daemon, repo: Repo, commits: list[str]) -> Work:
    request = FindChangedPathsRequest(repository=repo.message)
    for commit in commits:
        request.requests.add().commit_request.commit_revision = commit
    return _call(daemon, "DiffService/FindChangedPaths", request)


def _call(daemon: Daemon, method: str, request: Message) -> Work:
    """Takes all messages of a call, as they are on the wire."""
    serializer: Any = type(request).SerializeToString
    call = daemon.channel.unary_stream(f"/gitaly.{method}", request_serializer=serializer)
    return lambda: _drained(call(request))


async def _drained(stream: AsyncIterable[object]) -> None:
    async for _ in stream:
        pass


def _git(repo: Repo, *args: str, stdin: str = "") -> Work:
    async def work() -> None:
        await asyncio.to_thread(repo.git_bytes, *args, stdin=stdin)

    return work


def _diff_tree(repo: Repo, commits: list[str]) -> Work:
    ids = repo.git("rev-parse", *commits)
    return _git(repo, "diff-tree", "-z", "--stdin", "-r", "--root", "--no-renames", "-m", stdin=f"{ids}\n")


def _raw_changes(repo: Repo) -> Work:
    """The list, and then the sizes of what it names."""

    def work() -> None:
        output = repo.git_bytes("diff", "--raw", "-z", "--no-abbrev", "all~", "all")
        blobs = b"".join(meta.split(b" ")[3] + b"\n" for meta in output.split(b"\0")[:-1:2])
        repo.git_bytes("cat-file", "--batch-check=%(objectsize)", "--buffer", stdin=blobs)

    return lambda: asyncio.to_thread(work)


def _imported() -> Iterator[bytes]:
    """`all` changes every file at once, `many` a few of them in each commit."""
    files = [f"folder{number // 100:03}/file{number:05}.py".encode() for number in range(PATHS)]
    yield from _commit(b"all", files, b"1\n")
    yield from _commit(b"all", files, b"2\n")
    yield b"reset refs/heads/many\nfrom refs/heads/all\n\n"
    each = PATHS // COMMITS
    for number in range(COMMITS):
        yield from _commit(b"many", files[number * each :][:each], b"3\n")


def _commit(branch: bytes, files: list[bytes], content: bytes) -> Iterator[bytes]:
    yield b"commit refs/heads/%s\ncommitter C <c@example.com> %d +0000\ndata 1\nm\n" % (branch, EPOCH)
    for number, file in enumerate(files):
        text = b"%d %s" % (number, content)
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (file, len(text), text)
