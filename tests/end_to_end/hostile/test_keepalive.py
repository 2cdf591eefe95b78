"""Pings of clients (daemon.md 2.2), alike over both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gitaly_py.rpc.http2.errors import ErrorCode
from tests.support.http2 import ACK, PING, ping
from tests.support.peers import serving
from tests.support.siege import KINDS, Siege

LEGAL = 3
"""The first ping has none before it, and two may come too early."""


@pytest.mark.parametrize("kind", KINDS)
async def test_more_than_two_early_pings_end_the_connection(siege: Siege, kind: str) -> None:
    async with siege.lifted(kind), await siege.client(kind) as client:
        client.greet()
        for number in range(LEGAL):
            client.send(ping(number.to_bytes(8)))
            answer = await client.until(PING, flags=ACK)
            assert answer.payload == number.to_bytes(8)
        client.send(ping())
        _, code, text = await client.goaway()

    assert (code, text) == (ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")


async def test_pings_that_keep_their_distance_are_fine(tmp_path: Path, engine: str) -> None:
    async with serving(tmp_path, engine, rpc='keepalive_min_interval = "200ms"') as served:
        siege = Siege(served, served.repo(), "")
        async with await siege.client("unix") as client:
            client.greet()
            for number in range(3 * LEGAL):
                client.send(ping(number.to_bytes(8)))
                answer = await client.until(PING, flags=ACK)
                assert answer.payload == number.to_bytes(8)
                await asyncio.sleep(0.3)
