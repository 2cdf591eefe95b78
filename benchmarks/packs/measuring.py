"""What a process and all that it starts has cost: processor time, memory, git processes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_SCHEDULED = 2  # the clock of a process's processor time, see clock_getcpuclockid(3)
_TICKS = os.sysconf("SC_CLK_TCK")
_CHILDREN_TIMES = slice(13, 15)  # cutime, cstime of proc_pid_stat(5), counted behind the command's name
_SETTLE_SECONDS = 5.0
_SAMPLE_SECONDS = 0.02


@dataclass
class Spent:
    """Processor time in seconds, and growth of memory in bytes, of a block."""

    cpu: float = 0.0
    memory: int = 0


class Tree:
    """A process, those it has when this is made, and whatever they start until they are asked about."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._lasting = self._members()
        self._usual = len(self._lasting)

    def cpu_seconds(self) -> float:
        """Processor time of all members so far, user and system, with that of children that were reaped.

        That of a child that still runs is exact, that of one that was reaped good to a clock tick.
        """
        self._settle()
        return sum(_cpu_seconds(member.pid) for member in self._members())

    def memory(self) -> int:
        """Resident bytes of the processes that were there from the start."""
        return sum(member.memory_info().rss for member in self._lasting)

    @contextlib.contextmanager
    def measured(self) -> Iterator[Spent]:
        """Fills in, at the block's end, what the tree has spent meanwhile."""
        spent = Spent()
        before, memory = self.cpu_seconds(), self.memory()
        with _sampled(self) as largest:
            yield spent
        spent.cpu = self.cpu_seconds() - before
        spent.memory = largest[0] - memory

    def _members(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def _settle(self) -> None:
        """Waits until what was started for a call is gone, so that its cost is booked.

        What does not go is taken for something the server keeps.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (count := len(self._members())) > self._usual:
            if time.monotonic() > deadline:
                self._usual = count
            time.sleep(0.005)


class GitProcesses:
    """Counts the git processes of a daemon that has GIT_TRACE set to this file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        trace.touch()

    def count(self, command: str = "") -> int:
        """How many there were so far, of all commands or of one, whoever started them."""
        return self._trace.read_bytes().count(f"built-in: git {command}".encode())


@contextlib.contextmanager
def _sampled(tree: Tree) -> Iterator[list[int]]:
    """The most memory the tree had during the block, as the only item of a list."""
    largest = [tree.memory()]
    over = threading.Event()

    def sample() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            largest[0] = max(largest[0], tree.memory())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield largest
    finally:
        over.set()
        thread.join()


def _cpu_seconds(pid: int) -> float:
    try:
        own = time.clock_gettime((~pid << 3) | _SCHEDULED)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # ended and reaped just now: its parent has its time
    return own + sum(int(field) for field in fields[_CHILDREN_TIMES]) / _TICKS
