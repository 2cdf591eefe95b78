"""Sources on their way into wires."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading

import pytest

from gitaly_py.transport.pump import pump
from gitaly_py.transport.wire import receive_exactly
from gitaly_py.transport.yamux.sources import BytesSource, FileSource, PipeSource
from tests.support.mux import wires

CONTENT = bytes(range(256)) * 16384
KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])


@KINDS
def test_a_file_arrives_whole_at_a_reader_slower_than_the_disk(run, kind) -> None:
    async def body() -> None:
        one, other = await wires(kind)
        with tempfile.TemporaryFile() as file:
            file.write(b"before" + CONTENT + b"behind")
            file.flush()
            _, got = await asyncio.gather(
                pump(FileSource(file.fileno(), 6, len(CONTENT)), one), receive_exactly(other, len(CONTENT))
            )
        assert got == CONTENT
        one.close()
        other.close()

    run(body())


def test_a_pipe_arrives_as_it_is_filled_until_its_end(run) -> None:
    async def body() -> None:
        one, other = await wires("unix")
        reading, writing = os.pipe()

        def fill() -> None:
            with open(writing, "wb") as pipe:
                pipe.write(CONTENT)

        filling = threading.Thread(target=fill)
        pumping = asyncio.create_task(pump(PipeSource(reading), one))
        await asyncio.sleep(0)
        filling.start()
        assert await receive_exactly(other, len(CONTENT)) == CONTENT
        await pumping
        filling.join()
        os.close(reading)
        one.close()
        other.close()

    run(body())


def test_nothing_is_soon_sent(run) -> None:
    async def body() -> None:
        one, other = await wires("unix")
        await pump(BytesSource(b""), one)
        one.close()
        assert await receive_exactly(other, 1) == b""
        other.close()

    run(body())


def test_a_reader_that_hangs_up_is_told_while_the_wire_is_full(run) -> None:
    async def body() -> None:
        one, other = await wires("unix")
        pumping = asyncio.create_task(pump(BytesSource(CONTENT), one))
        assert await receive_exactly(other, 100_000)
        other.close()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            await pumping
        one.close()

    run(body())


def test_a_source_that_never_fills_can_be_cancelled(run) -> None:
    async def body() -> None:
        one, other = await wires("unix")
        reading, writing = os.pipe()
        pumping = asyncio.create_task(pump(PipeSource(reading), one))
        await asyncio.sleep(0)
        pumping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pumping
        os.write(writing, b"late")
        await asyncio.sleep(0)
        os.close(reading)
        os.close(writing)
        one.close()
        other.close()

    run(body())
