"""Side-band packets on every kind of connection, from a program that writes what it is told."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gitaly_py.git.errors import describe_status
from gitaly_py.git.process import PIPE, Git, Process, Stderr
from gitaly_py.git.settings import GitSettings
from gitaly_py.git.streams import MAX_STDERR
from gitaly_py.services.output.bands import Bands
from gitaly_py.transport.errors import StreamReset
from gitaly_py.transport.sidechannel import Sidechannel
from gitaly_py.transport.yamux.stream import Stream
from tests.support.mux import read_all, sessions
from tests.support.repositories import GIT
from tests.support.ssh import bands

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])

SOURCE = "import os, random; noise = random.Random(1).randbytes\n"
MIXED = """
for size in [1, 65514, 65515, 65516, 4096, 131072, 200000, 5] * 8:
    data = noise(size)
    while data:
        data = data[os.write(1, data):]
    os.write(2, b'%d bytes\\n' % size)
"""
BULK = "data = noise(8192)\nfor _ in range(1500): os.write(1, data)"


@asynccontextmanager
async def writing(tmp_path: Path, program: str) -> AsyncIterator[Process]:
    """A process that runs Python code, where `noise` makes the same bytes each time."""
    git = Git(GitSettings(binary=GIT))
    argv = [sys.executable, "-I", "-S", "-c", SOURCE + program]
    try:
        async with git.start_program(argv, cwd=str(tmp_path), stdin=PIPE, stderr=Stderr.PIPE) as process:
            yield process
    finally:
        await git.close()


def written(program: str) -> bytes:
    """What such a program writes to standard output."""
    import subprocess

    argv = [sys.executable, "-I", "-S", "-c", SOURCE + program]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


@asynccontextmanager
async def channel(kind: str) -> AsyncIterator[tuple[Bands, Stream]]:
    """An output, and the client's end of what it goes to."""
    async with sessions(kind) as pair:
        opened = await pair.server.open()
        client = await pair.client.accept()
        async with Sidechannel(opened) as ours:
            yield Bands(ours), client


@KINDS
async def test_both_streams_arrive_whole_however_they_are_mixed(tmp_path: Path, kind: str) -> None:
    async with channel(kind) as (output, client), writing(tmp_path, MIXED) as process:
        reading = asyncio.ensure_future(read_all(client))
        await output.take(process)
        output._channel.close()
        found = bands(await reading)

    assert hashlib.sha256(found[1]).digest() == hashlib.sha256(written(MIXED)).digest()
    assert found[2].splitlines()[:3] == [b"1 bytes", b"65514 bytes", b"65515 bytes"]
    assert len(found[2].splitlines()) == 64
    assert (output.stderr, output.broken, process.returncode) == (found[2], None, 0)


async def test_packets_stay_whole_while_a_client_does_not_read(tmp_path: Path) -> None:
    async with channel("unix") as (output, client), writing(tmp_path, MIXED) as process:
        taking = asyncio.ensure_future(output.take(process))
        await asyncio.sleep(0.5)
        stalled = process.returncode is None
        reading = asyncio.ensure_future(read_all(client))
        await taking
        output._channel.close()
        found = bands(await reading)

    assert stalled
    assert found[1] == written(MIXED)
    assert len(found[2].splitlines()) == 64


@KINDS
async def test_bulk_that_is_written_in_small_pieces_travels_in_large_ones(tmp_path: Path, kind: str) -> None:
    async with channel(kind) as (output, client), writing(tmp_path, BULK) as process:
        reading = asyncio.ensure_future(read_all(client))
        await output.take(process)
        output._channel.close()
        answer = await reading

    assert bands(answer)[1] == written(BULK)
    assert len(answer) - len(bands(answer)[1]) < 5 * 1500 / 2


async def test_what_comes_on_stderr_last_is_not_lost_to_a_child_that_keeps_it_open(tmp_path: Path) -> None:
    program = "os.close(1); os.write(2, b'%d' % os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '60')); os._exit(3)"
    async with channel("unix") as (output, client), writing(tmp_path, program) as process:
        reading = asyncio.ensure_future(read_all(client))
        await output.take(process)
        output._channel.close()
        found = bands(await reading)

    assert (process.returncode, found[1]) == (3, b"")
    os.kill(int(found[2]), signal.SIGKILL)


async def test_only_the_end_of_much_stderr_is_remembered(tmp_path: Path) -> None:
    program = "os.write(2, b'x\\n' * 100_000); os.write(2, b'end\\n')"
    async with channel("unix") as (output, client), writing(tmp_path, program) as process:
        reading = asyncio.ensure_future(read_all(client))
        await output.take(process)
        output._channel.close()
        found = bands(await reading)

    assert len(found[2]) == 200_004
    assert output.stderr == found[2][-MAX_STDERR:]


@pytest.mark.parametrize(
    ("program", "ending"),
    [
        ("import signal; signal.signal(13, 0)\nwhile True: os.write(1, bytes(8192))", "signal: broken pipe"),
        ("import signal\nsignal.pause()", "signal: terminated"),
    ],
    ids=["that writes", "that waits"],
)
async def test_a_client_that_takes_no_more_ends_a_process(tmp_path: Path, program: str, ending: str) -> None:
    async with channel("unix") as (output, client), writing(tmp_path, program) as process:
        client.reset()
        await output.take(process)

    assert isinstance(output.broken, StreamReset)
    assert describe_status(process.returncode or 0) == ending


async def test_a_client_that_does_not_read_holds_up_the_process_and_no_other(tmp_path: Path) -> None:
    endless = "while True: os.write(1, bytes(8192))"
    async with sessions("unix") as pair:
        stalled, running = [await pair.server.open() for _ in range(2)]
        await pair.client.accept()
        client = await pair.client.accept()
        async with writing(tmp_path, endless) as one, writing(tmp_path, MIXED) as other:
            taking = asyncio.ensure_future(Bands(Sidechannel(stalled)).take(one))
            reading = asyncio.ensure_future(read_all(client))
            await Bands(Sidechannel(running)).take(other)
            running.close()
            found = bands(await reading)
            held_up = one.returncode is None
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking

    assert held_up
    assert found[1] == written(MIXED)
