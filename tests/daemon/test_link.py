"""The socket between supervisor and worker, with both ends in one process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gitaly_py.daemon.processes.link import Link, LinkBroken, pair, receive_first, send_first
from gitaly_py.limits.desk import Acquire, Dropped, Entered, Leave, Queued

SECONDS = 5.0


class End:
    """One end, and what has come to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.received: list[Any] = []
        self.lost = 0
        self.link = Link(sock, self.received.append, self._lost)

    def _lost(self) -> None:
        self.lost += 1

    async def until(self, count: int) -> list[Any]:
        """What has come, once it is so much."""
        async with asyncio.timeout(SECONDS):
            while len(self.received) < count:
                await asyncio.sleep(0)
        return self.received


Ends = tuple[End, End]


@pytest.fixture
async def ends() -> Any:
    ours, theirs = (End(sock) for sock in pair())
    yield ours, theirs
    ours.link.close()
    theirs.link.close()


async def test_messages_arrive_whole_and_in_order(ends: Ends) -> None:
    ours, theirs = ends
    sent = [Acquire(1, "l", "k"), "x" * 3_000_000, Leave(1), b"y" * 100_000, Queued(2, 3)]
    for message in sent:
        ours.link.send(message)

    assert await theirs.until(len(sent)) == sent
    assert [type(message) for message in theirs.received] == [type(message) for message in sent]


@pytest.mark.parametrize(
    "message",
    [Acquire(1, "l", "k"), Leave(7), Queued(1, 2), Entered(1, 2, 0.5), Dropped(1, 2, 3, 0.5, "max_size")],
)
async def test_messages_of_limiters_stay_what_they_are(ends: Ends, message: Any) -> None:
    ours, theirs = ends
    ours.link.send(message)
    [received] = await theirs.until(1)
    assert (type(received), received) == (type(message), message)


async def test_what_is_sent_can_be_taken_before_the_loop_looks_for_it(ends: Ends) -> None:
    ours, theirs = ends
    ours.link.send("hello")
    theirs.link.take()
    assert theirs.received == ["hello"]
    theirs.link.take()
    assert theirs.received == ["hello"]


async def test_what_is_posted_goes_with_the_end_of_the_turn_or_the_next_message(ends: Ends) -> None:
    ours, theirs = ends
    ours.link.post(1)
    ours.link.post(2)
    theirs.link.take()
    assert theirs.received == []

    ours.link.send(3)
    theirs.link.take()
    assert theirs.received == [1, 2, 3]

    ours.link.post(4)
    assert await theirs.until(4) == [1, 2, 3, 4]


async def test_what_is_posted_last_still_goes(ends: Ends) -> None:
    ours, theirs = ends
    ours.link.post("last words")
    ours.link.close()
    assert await theirs.until(1) == ["last words"]


async def test_an_end_that_is_gone_is_noticed_once_and_takes_no_more(ends: Ends) -> None:
    ours, theirs = ends
    theirs.link.close()
    ours.link.take()
    ours.link.take()
    assert ours.lost == 1
    ours.link.send("nobody")
    ours.link.post("nobody")
    await asyncio.sleep(0)


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = pair()
    with ours, theirs:
        yield ours, theirs


def test_the_first_message_brings_descriptors(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    send_first(ours, "orders", [ours.fileno()])
    message, [descriptor] = receive_first(theirs)
    assert message == "orders"
    with socket.socket(fileno=descriptor) as copy:
        copy.send(b"x")
    assert theirs.recv(1) == b"x"


def test_without_a_first_message_the_link_is_broken(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    ours.close()
    with pytest.raises(LinkBroken):
        receive_first(theirs)
