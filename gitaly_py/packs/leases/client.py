"""A worker's way to the ledger of packs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from gitaly_py.packs.leases.messages import (
    UNKNOWN,
    Began,
    Completed,
    Follow,
    Followed,
    Follows,
    FromWorker,
    Gone,
    Lead,
    Left,
    Seek,
    ToWorker,
)


@dataclass(eq=False)
class Foreign:
    """A pack that another worker has. size: UNKNOWN while it is made. gone: there will be no more of it."""

    key: str
    path: str
    size: int
    gone: bool = False


@dataclass(eq=False)
class _Led:
    """A pack that this worker makes. followed: told how many others read it."""

    path: str
    followed: Callable[[int], None]
    size: int = UNKNOWN


class Leases:
    """Asks who has a pack, and says what this worker has. send: takes a message to the ledger."""

    def __init__(self, send: Callable[[FromWorker], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._questions: dict[int, tuple[str, asyncio.Future[Foreign | None]]] = {}
        self._followed: dict[str, Foreign] = {}
        self._led: dict[str, _Led] = {}

    async def seek(self, key: str) -> Foreign | None:
        """The pack, if another worker has it; None if this one is to `lead`."""
        number = next(self._numbers)
        answer: asyncio.Future[Foreign | None] = asyncio.get_running_loop().create_future()
        self._questions[number] = key, answer
        self._send(Seek(number, key))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            # The answer counts for the ledger even if nobody waits for it any more.
            answer.add_done_callback(lambda done: self._decline(key, done.result()))
            raise

    def lead(self, key: str, path: str, followed: Callable[[int], None]) -> None:
        """Lets others read what is written to `path`. followed: told how many do, whenever that changes."""
        self._led[key] = _Led(path, followed)
        self._send(Began(key, path))

    def complete(self, key: str, size: int) -> None:
        """A pack that is led is whole."""
        led = self._led.get(key)
        if led is not None:
            led.size = size
            self._send(Completed(key, size))

    def give_up(self, key: str) -> None:
        """Nobody is to read a pack that was led any more."""
        if self._led.pop(key, None) is not None:
            self._send(Gone(key))

    def leave(self, foreign: Foreign) -> None:
        """What another worker makes is not read any longer."""
        if self._followed.get(foreign.key) is foreign:
            del self._followed[foreign.key]
            self._send(Left(foreign.key))

    def resume(self, send: Callable[[FromWorker], None]) -> None:
        """Another ledger is to be asked from here on: tells it what there is, and asks again."""
        self._send = send
        for key, led in self._led.items():
            send(Began(key, led.path))
            if led.size != UNKNOWN:
                send(Completed(key, led.size))
        for key in self._followed:
            send(Follows(key))
        for number, (key, _) in self._questions.items():
            send(Seek(number, key))

    def _decline(self, key: str, foreign: Foreign | None) -> None:
        if foreign is None:
            self._send(Gone(key))
        else:
            self.leave(foreign)

    def receive(self, message: ToWorker) -> None:
        """Takes a message of the ledger."""
        match message:
            case Lead(number):
                _, answer = self._questions.pop(number)
                answer.set_result(None)
            case Follow(number, path, size):
                key, answer = self._questions.pop(number)
                foreign = self._followed[key] = Foreign(key, path, size)
                answer.set_result(foreign)
            case Completed(key, size):
                if key in self._followed:
                    self._followed[key].size = size
            case Gone(key):
                foreign_ = self._followed.pop(key, None)
                if foreign_ is not None:
                    foreign_.gone = True
            case Followed(key, others):
                if key in self._led:
                    self._led[key].followed(others)


def is_complete(foreign: Foreign) -> bool:
    """Whether all of a pack is in its file."""
    return foreign.size != UNKNOWN
