"""Long pieces of work take turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import pytest

from gitaly_py.telemetry.turns import turn

STREAMS = 8
PIECES = 5
PIECE_SECONDS = 0.005


@pytest.fixture(autouse=True)
async def nobody_else() -> None:
    """Streams of the test before are no others any more."""
    await asyncio.sleep(0.05)


async def stream(done: list[int], number: int) -> None:
    for _ in range(PIECES):
        await turn()
        done.append(number)


async def test_a_turn_that_nobody_has_is_taken_at_once() -> None:
    rounds = 0

    def count() -> None:
        nonlocal rounds
        rounds += 1

    asyncio.get_running_loop().call_soon(count)
    await turn()

    assert rounds == 0


async def counted(body: Awaitable[bool]) -> tuple[bool, int]:
    """What `body` returns, and the rounds of the loop until then."""
    rounds = 0

    def count() -> None:
        nonlocal rounds
        rounds += 1

    asyncio.get_running_loop().call_soon(count)
    return await body, rounds


async def test_among_others_a_stream_has_its_turn_in_a_later_round_whatever_has_woken_it() -> None:
    assert await counted(turn()) == (False, 0)
    await asyncio.gather(turn(), turn())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert await counted(turn()) == (True, 1)


async def test_a_stream_that_takes_turns_in_a_row_is_not_taken_for_several() -> None:
    for _ in range(PIECES):
        assert not await turn()


async def test_streams_have_their_turns_in_the_order_in_which_they_came() -> None:
    done: list[int] = []

    await asyncio.gather(*(stream(done, number) for number in range(3)))

    # The first one has a turn before the others have come.
    assert done == [0, *[0, 1, 2] * (PIECES - 1), 1, 2]


async def test_a_call_that_comes_meanwhile_waits_for_one_piece_at_most() -> None:
    pieces = 0
    between: list[int] = []

    async def heavy() -> None:
        nonlocal pieces
        for _ in range(PIECES):
            await turn()
            pieces += 1
            time.sleep(PIECE_SECONDS)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())

    async def light() -> None:
        while pieces < STREAMS * PIECES:
            before = pieces
            writer.write(b"x")
            await reader.readexactly(1)
            between.append(pieces - before)

    await asyncio.gather(light(), *(heavy() for _ in range(STREAMS)))
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()

    # There and back, and the wake-up of either side: without turns it is all eight each time.
    assert max(between) < STREAMS


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1):
        writer.write(data)
    writer.close()
    await writer.wait_closed()


async def test_one_that_gives_up_holds_up_nobody() -> None:
    first, *waiting = [asyncio.ensure_future(turn()) for _ in range(4)]
    await asyncio.sleep(0)
    assert first.done()
    waiting[0].cancel()
    waiting[1].cancel()

    async with asyncio.timeout(5):
        await waiting[2]
        await turn()

    assert [each.cancelled() for each in waiting] == [True, True, False]


async def test_one_that_gives_up_with_the_turn_given_to_it_holds_up_nobody() -> None:
    first, given = [asyncio.ensure_future(turn()) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert first.done()
    given.cancel()

    async with asyncio.timeout(5):
        await turn()
        await turn()

    assert given.cancelled()
