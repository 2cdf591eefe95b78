"""How several RPCs run git to compare revisions (diff-conflicts.md 0.2, 0.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Unpack

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.process import Options, Process, Stderr
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call


def diff(flags: Sequence[Flag], left: str | bytes, right: str | bytes) -> Command:
    """The command that compares two revisions.

    `--` follows them: without it git takes two names that it does not know for files outside the repository.
    """
    return Command(name="diff", flags=flags, args=[left, right], paths=())


@asynccontextmanager
async def comparing(call: Call, command: Command, **options: Unpack[Options]) -> AsyncIterator[Process]:
    """A command on the call's repository, as long as the block. Only the error of its start has a prefix."""
    options.setdefault("stderr", Stderr.KEEP)
    async with AsyncExitStack() as stack:
        with during("cmd"):
            process = await stack.enter_async_context(
                call.app.git.start(call.repository.git, command, **options)
            )
        yield process
