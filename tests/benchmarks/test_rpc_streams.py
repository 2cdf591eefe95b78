"""The daemon whose streams the benchmarks of the RPC engines measure."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.rpc import streams
from benchmarks.rpc.engines import CallFailed, Client, Server
from tests.support.daemon import Daemon

MESSAGES = 3


@pytest.mark.parametrize("work", [streams.download, streams.upload])
async def test_its_workers_have_the_streams(tmp_path: Path, engine: str, work: streams.Work) -> None:
    daemon = Daemon(tmp_path, engine=engine, program="benchmarks.rpc.daemon").start()
    try:
        server = Server(engine, daemon.worker.pid, str(daemon.socket))
        spent, elapsed = await asyncio.to_thread(work, server, MESSAGES)
        assert spent > 0
        assert elapsed > 0
    finally:
        daemon.stop()


async def test_a_call_that_fails_in_the_client_process_says_why(tmp_path: Path, engine: str) -> None:
    client = Client()
    try:
        nowhere = Server(engine, 1, str(tmp_path / "nowhere"))
        with pytest.raises(CallFailed, match="UNAVAILABLE"):
            await client.run(streams.download, nowhere, MESSAGES)
    finally:
        client.close()
