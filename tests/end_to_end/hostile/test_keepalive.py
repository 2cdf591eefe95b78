"""Pings of clients (daemon.md 2.2), alike over both engines."""

from __future__ import annotations

import pytest

from gitaly_py.rpc.http2.errors import ErrorCode
from tests.support.http2 import ACK, PING, ping
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
