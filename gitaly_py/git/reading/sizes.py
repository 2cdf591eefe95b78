"""Sizes of very many objects, some twenty times faster than a reader tells them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from gitaly_py.git.commands import Command
from gitaly_py.git.process import PIPE, Git, Process, Stderr
from gitaly_py.git.reading.errors import ObjectNotFound, ObjectUnreadable
from gitaly_py.git.repository import GitRepository

_WINDOW = 400
"""Objects asked for at a time: two windows fit a pipe, and so do the answers to one."""


class ObjectSizes:
    """Asks a `git cat-file` that is started when it is needed first; made by `object_sizes`."""

    def __init__(self, git: Git, repository: GitRepository, stack: AsyncExitStack) -> None:
        self._git = git
        self._repository = repository
        self._stack = stack
        self._process: Process | None = None
        self._buffer = b""

    async def of(self, oids: Sequence[bytes]) -> list[int]:
        """The size of each object, in bytes. Raises ObjectNotFound and ObjectUnreadable."""
        process = self._process = self._process or await self._start()
        windows = [oids[start : start + _WINDOW] for start in range(0, len(oids), _WINDOW)]
        following = iter(windows)
        sizes: list[int] = []
        await _ask(process, next(following, ()))
        for window in windows:
            # One window ahead, so that git does not wait for us.
            await _ask(process, next(following, ()))
            sizes += _parsed(await self._answers(process, window))
        return sizes

    async def _start(self) -> Process:
        command = Command(name="cat-file", flags=["--batch-command=%(objectsize)", "--buffer"])
        process = self._git.start(self._repository, command, stdin=PIPE, stderr=Stderr.KEEP)
        return await self._stack.enter_async_context(process)

    async def _answers(self, process: Process, oids: Sequence[bytes]) -> list[bytes]:
        while self._buffer.count(b"\n") < len(oids):
            piece = await process.read()
            if not piece:
                await process.wait()
                reason = process.stderr.decode("utf-8", "replace").strip()
                raise ObjectUnreadable(oids[0].decode("ascii"), reason or "git cat-file ended")
            self._buffer += piece
        *lines, self._buffer = self._buffer.split(b"\n", len(oids))
        return lines


@asynccontextmanager
async def object_sizes(git: Git, repository: GitRepository) -> AsyncIterator[ObjectSizes]:
    """Tells sizes as long as the block."""
    async with AsyncExitStack() as stack:
        yield ObjectSizes(git, repository, stack)


async def _ask(process: Process, oids: Sequence[bytes]) -> None:
    if oids and process.stdin is not None:
        # Whoever reads the answers learns that git has gone, and why.
        with suppress(BrokenPipeError):
            await process.stdin.write(b"info " + b"\ninfo ".join(oids) + b"\nflush\n")


def _parsed(lines: list[bytes]) -> list[int]:
    try:
        return list(map(int, lines))
    except ValueError:
        absent = next(line for line in lines if not line.isdigit())
        raise ObjectNotFound(absent.split(b" ")[0].decode("ascii")) from None
