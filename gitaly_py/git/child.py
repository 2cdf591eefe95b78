"""A running process: its pipes, its end, and what it leaves.

It belongs to whoever started it, and is reaped as soon as it has exited: a pidfd tells the event loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress

import psutil

from gitaly_py.git import accounting
from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.memory import MemorySampler
from gitaly_py.git.pipes import PipeReader
from gitaly_py.git.streams import Streams, Tail

_LAST_READS = 4


class Process:
    """A running git process; made by `Git.start`.

    stdin, stdout, stderr_pipe: our ends of its pipes, or None where none was asked for.
    """

    def __init__(
        self,
        pid: int,
        streams: Streams,
        name: str,
        grace: float,
        reaped: Callable[[Process], None],
    ) -> None:
        self.name = name
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = streams.stdin
        self.stdout = streams.stdout
        self.stderr_pipe = streams.stderr if streams.pass_stderr else None
        self.usage: accounting.Usage | None = None
        self.ended_by_us = False
        self._grace = grace
        self._reaped = reaped
        self._started = time.monotonic()
        self._exited = asyncio.Event()
        self._kill_timer: asyncio.TimerHandle | None = None
        self._stderr = None if streams.pass_stderr else streams.stderr
        self._tail = Tail()
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(pid)
        self._memory = MemorySampler(pid, self._loop)
        # The loop calls back in the context of the call that starts the process, so its cost is booked there.
        self._loop.add_reader(self._pidfd, self._reap)
        if self._stderr is not None:
            self._loop.add_reader(self._stderr.fd, self._collect_stderr)

    @property
    def stderr(self) -> bytes:
        """The last bytes of standard error (at most 10,000, lines cut at 4096); complete after `wait`."""
        return self._tail.text

    @property
    def stdout_fd(self) -> int:
        """The raw end of standard output, to splice from; it stays ours."""
        return self._output.fd

    async def read(self, size: int = 64 * 1024) -> bytes:
        """Up to `size` bytes of standard output; empty at its end."""
        return await self._output.read(size)

    async def read_until(self, separator: bytes) -> bytes:
        """Standard output up to and including `separator`; without it at the end."""
        return await self._output.read_until(separator)

    async def read_exactly(self, size: int) -> bytes:
        """`size` bytes of standard output; fewer at its end."""
        return await self._output.read_exactly(size)

    def records(self, separator: bytes) -> AsyncIterator[bytes]:
        """The records of standard output, without separators."""
        return self._output.records(separator)

    def batches(self, separator: bytes) -> AsyncGenerator[list[bytes]]:
        """The same, as many at a time as have arrived: for output of very many records."""
        return self._output.batches(separator)

    def chunks(self, size: int = 256 * 1024) -> AsyncGenerator[bytes]:
        """Standard output up to its end, up to `size` bytes at a time."""
        return self._output.chunks(size)

    async def wait(self) -> int:
        """The exit status (negative: number of the signal).

        Closes our ends of stdin and stdout first: output nobody has read costs git a SIGPIPE.
        """
        self._close_streams()
        return await self.exited()

    async def exited(self) -> int:
        """As `wait`, but leaves the pipes alone, for someone else to read and write."""
        await self._exited.wait()
        return self._status

    async def check(self) -> None:
        """Waits. Raises CommandFailed unless the status is 0."""
        status = await self.wait()
        if status != 0:
            raise CommandFailed(self.name, status, self.stderr)

    def terminate(self) -> None:
        """Sends SIGTERM to the process group; git removes its lock files on it."""
        self._close_streams()
        if self.returncode is not None or self.ended_by_us:
            return
        self.ended_by_us = True
        self._signal(signal.SIGTERM)
        # A process stuck in a hook or a network helper may not react, and its owner waits for it.
        self._kill_timer = self._loop.call_later(self._grace, self._signal, signal.SIGKILL)

    def kill(self) -> None:
        """Ends the process and whatever it has started at once; what it has written can still be read.

        For processes that leave nothing to be removed. The process itself goes first, so that it has no time
        to say anything about the end of its helpers.
        """
        if self.returncode is None:
            self.ended_by_us = True
            for end in (os.kill, os.killpg):
                with suppress(ProcessLookupError):
                    end(self.pid, signal.SIGKILL)

    async def end_helpers(self) -> None:
        """Sends SIGTERM to what the process has started, not to itself."""
        helpers = await asyncio.to_thread(_children, self.pid)
        # A process that is not reaped by now was none other's while its children were looked up.
        if self.returncode is None:
            for helper in helpers:
                with suppress(psutil.NoSuchProcess):
                    helper.terminate()

    async def end(self) -> None:
        """Ends the process if it still runs, and reaps it."""
        self.terminate()
        if self.stderr_pipe is not None:
            self.stderr_pipe.close()
        await self._exited.wait()

    @property
    def _output(self) -> PipeReader:
        if self.stdout is None:
            raise ValueError("standard output is no pipe")
        return self.stdout

    @property
    def _status(self) -> int:
        status = self.returncode
        if status is None:
            raise ValueError("the process still runs")
        return status

    def _close_streams(self) -> None:
        if self.stdin is not None:
            self.stdin.close()
        if self.stdout is not None:
            self.stdout.close()

    def _signal(self, number: int) -> None:
        # Only while it is not reaped: afterwards the number may be another process's.
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _reap(self) -> None:
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._memory.stop()
        self.returncode = os.waitstatus_to_exitcode(status)
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        self.usage = accounting.Usage(usage, time.monotonic() - self._started)
        # What it wrote last may still be in the pipe, which its own children may hold open.
        for _ in range(_LAST_READS):
            self._collect_stderr()
        self._end_stderr()
        self._reaped(self)
        self._exited.set()

    def _collect_stderr(self) -> None:
        if self._stderr is None or self._stderr.closed:
            return
        data = self._stderr.receive_now()
        if data:
            self._tail.append(data)
        elif data is not None:
            self._end_stderr()

    def _end_stderr(self) -> None:
        if self._stderr is not None and not self._stderr.closed:
            self._loop.remove_reader(self._stderr.fd)
            self._stderr.close()


def _children(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children()
    return []
