"""Files of which only white space changed, for requests that ignore it (diff-conflicts.md 2.4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import replace

from gitaly_py.git.commands import Command
from gitaly_py.git.format import object_format
from gitaly_py.git.process import Stderr
from gitaly_py.git.wire.diff.entries import Entry, parse_entries
from gitaly_py.git.wire.diff.parser import FileDiff
from gitaly_py.pb.diff_pb2 import CommitDiffRequest
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands

_PATH_BYTES = 64 * 1024
"""Bytes of paths that one command line takes."""


async def only_whitespace(
    call: Call, request: CommitDiffRequest, shown: AbstractSet[bytes]
) -> AsyncGenerator[FileDiff, None]:
    """The modified files that git did not show, in its order, with what their changes count otherwise.

    shown: the paths of those that it did.
    """
    group: dict[bytes, Entry] = {}
    size = 0
    async with aclosing(_modified(call, request)) as entries:
        async for entry in entries:
            path = entry.to_path
            if path in shown:
                continue
            if size + len(path) > _PATH_BYTES:
                for file in await _counted(call, request, group):
                    yield file
                group, size = {}, 0
            group[path] = entry
            size += len(path)
    if group:
        for file in await _counted(call, request, group):
            yield file


async def _modified(call: Call, request: CommitDiffRequest) -> AsyncGenerator[Entry, None]:
    """The files that were modified and are what they were, under their name."""
    command = Command(
        name="diff-tree",
        flags=[
            "-r",
            "--no-renames",
            "--diff-filter=M",
            f"--abbrev={object_format(call.repository.path).hex_length}",
        ],
        args=[request.left_commit_id, request.right_commit_id],
        paths=list(request.paths),
    )
    git = call.app.git
    async with git.start(call.repository.git, command, config=commands.CONFIG, stderr=Stderr.KEEP) as process:
        async for lines in process.batches(b"\n"):
            for entry in parse_entries(b"\n".join(lines)):
                yield entry
        await process.check()


async def _counted(call: Call, request: CommitDiffRequest, entries: dict[bytes, Entry]) -> list[FileDiff]:
    command = commands.diff(
        ["--numstat", "-z", "--no-renames"], request.left_commit_id, request.right_commit_id, entries
    )
    numbers = dict.fromkeys(entries, (0, 0))
    async with commands.running(call, replace(command, global_flags=["--literal-pathspecs"])) as process:
        async for records in process.batches(b"\0"):
            for record in records:
                added, removed, path = record.split(b"\t", 2)
                numbers[path] = int(added), int(removed)
        await process.check()
    return [
        FileDiff(entry, lines_added=numbers[path][0], lines_removed=numbers[path][1])
        for path, entry in entries.items()
    ]
