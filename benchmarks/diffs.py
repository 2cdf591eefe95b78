"""Diffs against `git diff`, as a caller sees them end to end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from benchmarks.harness import Row, medians, running_daemon, workspace
from gitaly_py.pb.diff_pb2 import CommitDeltaRequest, CommitDiffRequest, RawDiffRequest
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.repositories import EPOCH, Repo

Work = Callable[[], Awaitable[object]]
Texts = list[tuple[bytes, bytes]]
"""Files, each as it was and as it is."""

RENAMES = "--find-renames=30%"
PATCHES = ("--raw", "--patch", "--full-index", RENAMES)

DETAILED = True


async def run(quick: bool) -> list[Row]:
    rounds = 5 if quick else 15
    with workspace() as root:
        async with running_daemon(root) as daemon:
            repo = repository_in(daemon.storage)
            source = random.Random(1)
            _commits(repo, "files", [_edited(source, 900, 30) for _ in range(300)])
            _commits(repo, "lines", [_edited(source, 150_000, 5)])
            _commits(repo, "small", [_edited(source, 20, 20) for _ in range(10_000)])
            _commits(repo, "names", [(b"1\n", b"2\n")] * 100_000)
            repo.git("repack", "-adq")
            pairs: dict[str, tuple[Work, Work, float | None]] = {
                "CommitDiff: 5 MB in 300 files": (
                    _call(daemon, repo, CommitDiffRequest, "files"),
                    _git(repo, "files", *PATCHES),
                    1.5,
                ),
                "CommitDiff: 5 MB in one file": (
                    _call(daemon, repo, CommitDiffRequest, "lines"),
                    _git(repo, "lines", *PATCHES),
                    1.5,
                ),
                # A message a file: most of the time is the client's.
                "CommitDiff: 10,000 files": (
                    _call(daemon, repo, CommitDiffRequest, "small"),
                    _git(repo, "small", *PATCHES),
                    None,
                ),
                "CommitDelta: 100,000 files": (
                    _call(daemon, repo, CommitDeltaRequest, "names"),
                    _git(repo, "names", "--raw", "--full-index", "-M"),
                    1.5,
                ),
                "RawDiff: 5 MB in 300 files": (
                    _call(daemon, repo, RawDiffRequest, "files"),
                    _git(repo, "files", "--full-index"),
                    1.5,
                ),
            }
            rows = []
            for name, (ours, gits, limit) in pairs.items():
                measured, reference = await medians(rounds, ours, gits)
                rows.append(Row(name, measured * 1e3, reference * 1e3, "ms", limit))
            return rows


def _call(daemon: Daemon, repo: Repo, kind: Callable[..., Message], branch: str) -> Work:
    """Takes all messages of a call, as they are on the wire."""
    request = kind(repository=repo.message, left_commit_id=f"{branch}~", right_commit_id=branch)
    name = type(request).__name__.removesuffix("Request")
    serializer: Any = type(request).SerializeToString
    call = daemon.channel.unary_stream(f"/gitaly.DiffService/{name}", request_serializer=serializer)
    return lambda: _drained(call(request))


async def _drained(stream: AsyncIterable[object]) -> None:
    async for _ in stream:
        pass


def _git(repo: Repo, branch: str, *flags: str) -> Work:
    async def work() -> None:
        await asyncio.to_thread(repo.git_bytes, "diff", *flags, f"{branch}~", branch)

    return work


def _edited(source: random.Random, lines: int, distance: int) -> tuple[bytes, bytes]:
    """A text of so many lines, and the same with one line in `distance` edited."""
    old = [
        b"%x = call(%x, %x)  # %x\n" % tuple(source.getrandbits(40) for _ in range(4)) for _ in range(lines)
    ]
    new = [line if number % distance else line.upper() for number, line in enumerate(old)]
    return b"".join(old), b"".join(new)


def _commits(repo: Repo, branch: str, texts: Texts) -> None:
    """Two commits, before and after."""
    repo.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(_imported(branch, texts)))


def _imported(branch: str, texts: Texts) -> Iterator[bytes]:
    for side in (0, 1):
        yield b"commit refs/heads/%s\ncommitter C <c@example.com> %d +0000\ndata 1\nm\n" % (
            branch.encode(),
            EPOCH,
        )
        for number, text in enumerate(texts):
            yield b"M 100644 inline folder%03d/file%05d.py\ndata %d\n%s\n" % (
                number // 100,
                number,
                len(text[side]),
                text[side],
            )
