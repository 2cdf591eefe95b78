"""Starting processes: what they get, and who waits."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitaly_py.git import spawning
from gitaly_py.git.spawning import Program, Spawner, discard, spawn

PYTHON = os.fsencode(sys.executable)
SECONDS = 10.0


@pytest.fixture
def null() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def told(program: str, *, environment: dict[bytes, bytes] | None = None, cwd: str | None = None) -> bytes:
    """What a Python program writes to standard output."""
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    line = [PYTHON, b"-I", b"-S", b"-c", program.encode()]
    pid = spawn(Program(line, environment or {}, (null, writing, null), cwd))
    os.close(writing)
    os.close(null)
    with os.fdopen(reading, "rb") as output:
        found = output.read()
    assert os.waitpid(pid, 0)[1] == 0
    return found


def test_a_process_gets_its_environment_its_folder_and_a_group_of_its_own(tmp_path: Path) -> None:
    program = (
        "import os; print(os.environ['A'], os.environ.get('PATH'), os.getcwd(), os.getpgrp() == os.getpid())"
    )
    found = told(program, environment={b"A": "\u00e4=b".encode()}, cwd=str(tmp_path))
    assert found.decode().split() == ["\u00e4=b", "None", str(tmp_path), "True"]


def test_a_process_gets_no_other_descriptors(null: int) -> None:
    os.set_inheritable(null, True)
    assert told("import os; print(os.listdir('/proc/self/fd'))").count(b",") == 3  # and that of the folder


def test_descriptors_may_have_numbers_of_standard_streams() -> None:
    reading, writing = os.pipe()
    kept = os.dup(0)
    try:
        # Standard output goes to 0, which is standard input's number.
        os.dup2(writing, 0)
        null = os.open(os.devnull, os.O_RDWR)
        pid = spawn(Program([b"/bin/echo", b"hello"], {}, (null, 0, null)))
        os.close(null)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(writing)
    assert os.waitpid(pid, 0)[1] == 0
    with os.fdopen(reading, "rb") as output:
        assert output.read() == b"hello\n"


def test_signals_that_python_ignores_have_their_usual_effect() -> None:
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    pid = spawn(Program([b"/bin/grep", b"SigIgn", b"/proc/self/status"], {}, (null, writing, null)))
    os.close(writing)
    os.close(null)
    os.waitpid(pid, 0)
    with os.fdopen(reading, "rb") as output:
        ignored = int(output.read().split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


@pytest.mark.parametrize(
    ("line", "cwd", "error"),
    [
        ([b"/not/there"], None, FileNotFoundError),
        ([b"/etc/passwd"], None, PermissionError),
        ([b"/bin/true"], "/not/there", FileNotFoundError),
        ([b"/bin/true", b"x" * 200_000], None, OSError),
        ([b"/bin/true", b"a\0b"], None, ValueError),
    ],
    ids=["missing", "no program", "missing folder", "too long", "null"],
)
def test_what_cannot_start_raises(
    null: int, line: list[bytes], cwd: str | None, error: type[Exception]
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(error):
        spawn(Program(line, {}, (null, null, null), cwd))
    assert len(os.listdir("/proc/self/fd")) == before


class Slow:
    """Starts that take as long as they are told, and the threads they ran in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.threads: list[threading.Thread] = []
        self.pids: list[int] = []
        self._spawn = spawning.spawn
        monkeypatch.setattr(spawning, "spawn", self)

    def __call__(self, program: Program) -> int:
        self.threads.append(threading.current_thread())
        time.sleep(self.seconds)
        pid = self._spawn(program)
        self.pids.append(pid)
        return pid


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(monkeypatch)


@pytest.fixture
async def spawner() -> AsyncIterator[Spawner]:
    made = Spawner()
    yield made
    made.close()


async def test_after_a_slow_start_others_run_in_threads_until_one_is_quick(
    spawner: Spawner, slow: Slow, null: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawning, "_SLOW", 0.2)
    monkeypatch.setattr(spawning, "_QUICK", 0.2)
    program = Program([b"/bin/true"], {}, (null, null, null))
    for slow.seconds in (0.0, 0.25, 0.25, 0.0, 0.0):
        os.waitpid(await spawner.start(program), 0)
    main = threading.main_thread()
    assert [thread is main for thread in slow.threads] == [True, True, False, False, True]


async def test_others_run_while_a_thread_starts_a_process(spawner: Spawner, slow: Slow, null: int) -> None:
    program = Program([b"/bin/true"], {}, (null, null, null))
    slow.seconds = 0.01
    os.waitpid(await spawner.start(program), 0)
    slow.seconds = 0.5
    starting = asyncio.create_task(spawner.start(program))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not starting.done()
    os.waitpid(await starting, 0)


async def test_a_failing_start_in_a_thread_raises(spawner: Spawner, slow: Slow, null: int) -> None:
    slow.seconds = 0.01
    os.waitpid(await spawner.start(Program([b"/bin/true"], {}, (null, null, null))), 0)
    with pytest.raises(FileNotFoundError):
        await spawner.start(Program([b"/not/there"], {}, (null, null, null)))


async def test_a_start_that_is_cancelled_leaves_no_process_and_keeps_descriptors_that_long(
    spawner: Spawner, slow: Slow, null: int
) -> None:
    slow.seconds = 0.01
    os.waitpid(await spawner.start(Program([b"/bin/true"], {}, (null, null, null))), 0)
    slow.seconds = 0.3
    reading, writing = os.pipe()
    starting = asyncio.create_task(spawner.start(Program([b"/bin/sleep", b"100"], {}, (null, writing, null))))
    await asyncio.sleep(0.05)
    for _ in range(3):
        starting.cancel()
        await asyncio.sleep(0.01)
    assert not starting.done()  # the thread still needs the descriptors
    with pytest.raises(asyncio.CancelledError):
        await starting
    os.close(writing)
    async with asyncio.timeout(SECONDS):
        while not await asyncio.to_thread(_is_reaped, slow.pids[-1]):
            await asyncio.sleep(0.01)
    assert os.read(reading, 1) == b""
    os.close(reading)


async def test_what_is_discarded_is_gone(null: int) -> None:
    pid = spawn(Program([b"/bin/sleep", b"100"], {}, (null, null, null)))
    await discard(pid)
    assert _is_reaped(pid)


def _is_reaped(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


def test_pipes_stay_as_they_were(null: int) -> None:
    before = fcntl.fcntl(null, fcntl.F_GETFD)
    os.waitpid(spawn(Program([b"/bin/true"], {}, (null, null, null))), 0)
    assert fcntl.fcntl(null, fcntl.F_GETFD) == before
