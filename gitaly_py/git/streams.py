"""Standard streams of a git process, and the other choices of a start."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final, Self, TypedDict

from gitaly_py.git.commands import Config
from gitaly_py.git.pipes import PipeReader, PipeWriter

MAX_STDERR = 10_000
"""Bytes of standard error that are kept."""
MAX_STDERR_LINE = 4096
"""Bytes of one line of it that are kept."""


class Pipe(enum.Enum):
    """Asks for a pipe whose other end the Process object has."""

    PIPE = "pipe"


class Stderr(enum.Enum):
    """What becomes of a process's standard error.

    LOG: its last bytes are kept, and logged at the end. KEEP: kept only. MERGE: goes into standard
    output. PIPE: the caller reads `Process.stderr_pipe`.
    """

    LOG = "log"
    KEEP = "keep"
    MERGE = "merge"
    PIPE = "pipe"


PIPE: Final = Pipe.PIPE


class Options(TypedDict, total=False):
    """Choices of one start, all optional.

    stdin: bytes, a descriptor (stays the caller's), or PIPE; nothing by default. stdout: PIPE (the default)
    or a descriptor. env: further variables. config: configuration of the call. secrets: configuration
    kept out of the argument list. timeout: seconds until the process is ended. worktree: work in this
    folder instead of naming the repository with --git-dir.
    """

    stdin: bytes | int | Pipe
    stdout: int | Pipe
    stderr: Stderr
    env: Mapping[str, str]
    config: Config
    secrets: Config
    timeout: float | None
    worktree: str


class Streams:
    """Both ends of a child's standard streams while it is being started.

    The child's ends are closed when the block ends; ours too, unless `hand_over` was called.
    """

    def __init__(self, options: Options) -> None:
        self._childs = ExitStack()
        self._ours = ExitStack()
        self.stdin: PipeWriter | None = None
        self.stdout: PipeReader | None = None
        self.stderr: PipeReader | None = None
        self.pass_stderr = options.get("stderr") is Stderr.PIPE
        try:
            self.child_stdin = self._stdin(options.get("stdin", b""))
            self.child_stdout = self._stdout(options.get("stdout", PIPE))
            self.child_stderr = self._stderr(options.get("stderr", Stderr.LOG))
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._childs.close()
        self._ours.close()

    def hand_over(self) -> None:
        """Our ends have an owner now."""
        self._ours.pop_all()

    def _stdin(self, source: bytes | int | Pipe) -> int:
        if isinstance(source, int):
            return source
        if isinstance(source, Pipe):
            childs, ours = os.pipe()
            self._childs.callback(os.close, childs)
            self.stdin = PipeWriter(ours)
            self._ours.callback(self.stdin.close)
            return childs
        if not source:
            null = os.open(os.devnull, os.O_RDONLY)
            self._childs.callback(os.close, null)
            return null
        # A file in memory: git reads it at its own pace, and nobody has to stand by and write.
        file = os.memfd_create("stdin")
        self._childs.callback(os.close, file)
        with os.fdopen(os.dup(file), "wb") as writer:
            writer.write(source)
            writer.flush()
        os.lseek(file, 0, os.SEEK_SET)
        return file

    def _stdout(self, sink: int | Pipe) -> int:
        if isinstance(sink, int):
            return sink
        self.stdout, childs = self._reading_pipe()
        return childs

    def _stderr(self, choice: Stderr) -> int:
        if choice is Stderr.MERGE:
            return self.child_stdout
        self.stderr, childs = self._reading_pipe()
        return childs

    def _reading_pipe(self) -> tuple[PipeReader, int]:
        ours, childs = os.pipe()
        self._childs.callback(os.close, childs)
        reader = PipeReader(ours)
        self._ours.callback(reader.close)
        return reader, childs


class Tail:
    """The end of what a process wrote to standard error (daemon.md 4.4)."""

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, data: bytes) -> None:
        """Adds `data`, forgetting what is too far from the end."""
        self._data += data
        if len(self._data) > 8 * MAX_STDERR:
            del self._data[: -4 * MAX_STDERR]

    @property
    def text(self) -> bytes:
        """The last lines, each cut at MAX_STDERR_LINE bytes."""
        lines = bytes(self._data).splitlines(keepends=True)
        return b"".join(_cut(line) for line in lines)[-MAX_STDERR:]


def _cut(line: bytes) -> bytes:
    if len(line) <= MAX_STDERR_LINE:
        return line
    return line[:MAX_STDERR_LINE] + (b"\n" if line.endswith(b"\n") else b"")
