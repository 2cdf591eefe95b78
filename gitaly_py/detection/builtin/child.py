"""The daemon's end of the detecting child process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import gitaly_py
from gitaly_py.detection import frames
from gitaly_py.detection.errors import DetectorEnded
from gitaly_py.git.child import Process
from gitaly_py.git.process import PIPE, Git

_PACKAGE = str(Path(gitaly_py.__file__).parent)

_PROGRAM = """
import sys
from types import ModuleType
package = sys.modules["gitaly_py"] = ModuleType("gitaly_py")
package.__path__ = sys.argv[1:]
from gitaly_py.detection.program import main
main()
"""
"""Starts without what the package itself and Python's site packages would load first."""


class Child:
    """Asks one question at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def ask(self, kind: bytes, arguments: Iterable[bytes]) -> list[bytes]:
        """The answer of `program` to a request. Raises CommandFailed, DetectorEnded."""
        # Whether it still listens shows in what it answers.
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                await self._process.stdin.write(frames.frame((kind, *arguments)))
        header = await self._process.read_exactly(frames.HEADER)
        if len(header) == frames.HEADER:
            expected = frames.length(header)
            content = await self._process.read_exactly(expected)
            if len(content) == expected:
                return frames.fields(content)
        await self._process.check()
        raise DetectorEnded


@asynccontextmanager
async def detecting(git: Git) -> AsyncIterator[Child]:
    """A child process for the time of the block. Raises SpawnFailed."""
    argv = [sys.executable, "-IS", "-c", _PROGRAM, _PACKAGE]
    async with git.start_program(argv, cwd="/", stdin=PIPE) as process:
        yield Child(process)
