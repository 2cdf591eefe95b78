"""One client's way through a pack."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from gitaly_py.packs.flow import Buffer, Callback, Flow


class Wire(Protocol):
    """What a reader needs of a connection (see transport/wire.py)."""

    @property
    def splice_fd(self) -> int | None:
        """The descriptor into which the kernel may move bytes itself, or None where there is none."""

    def send(self, data: Buffer, *, more: bool = False) -> int:
        """Takes some of `data` and returns how much. Raises BlockingIOError when nothing is taken now."""


class PackReader(ABC):
    """The packets of one pack from its beginning, without a flush packet; a yamux `Source`, among others.

    key: of the request. hit: the pack was there, or on its way, when it was asked for. sent: bytes moved.
    One consumer at a time.
    """

    def __init__(self, flow: Flow, key: str, *, hit: bool) -> None:
        self.key = key
        self.hit = hit
        self.sent = 0
        self._flow = flow

    @property
    def done(self) -> bool:
        """Nothing more will come, and all that came was moved: see `check`."""
        return self._flow.over and not self.available()

    @abstractmethod
    def available(self) -> int:
        """Bytes that can be moved now."""

    @abstractmethod
    def wait(self, callback: Callback | None) -> None:
        """Calls `callback` once when more may be available; None takes that back."""

    def lead(self, limit: int) -> bytes:
        """Takes out what there is if that is not more than `limit` bytes: they need no call of their own."""
        available = self.available()
        return self.detach(available) if 0 < available <= limit else b""

    @abstractmethod
    def transfer(self, wire: Wire, length: int) -> int:
        """Moves 1 to `length` bytes, which `available` has promised; returns how many.

        Raises BlockingIOError when the wire takes nothing, OSError.
        """

    @abstractmethod
    def detach(self, length: int) -> bytes:
        """Takes the next `length` bytes out, so that the reader is not needed any more. Raises OSError."""

    @abstractmethod
    def close(self) -> None:
        """Leaves the pack; the cache does this."""

    async def read(self, limit: int) -> bytes:
        """Waits for 1 to `limit` bytes; b"" at the end: see `check`. Raises OSError."""
        await self._arrived()
        return self.detach(min(limit, self.available()))

    async def started(self) -> None:
        """Waits until there are bytes. Raises why there won't be any: PackFailed, or what `admit` raised."""
        await self._arrived()
        if not self._flow.written:
            self.check()

    def check(self) -> None:
        """Once done: raises why the pack is not complete, PackFailed or what `admit` raised."""
        if self._flow.failure is not None:
            raise _again(self._flow.failure) from self._flow.failure

    async def _arrived(self) -> None:
        while not self._flow.over and not self.available():
            arrived = asyncio.Event()
            self.wait(arrived.set)
            try:
                await arrived.wait()
            finally:
                self.wait(None)


def _again(failure: Exception) -> Exception:
    """The same for one reader of several: each call notes on its own error what it was doing."""
    again = failure.__class__.__new__(failure.__class__, *failure.args)
    again.__dict__.update(failure.__dict__)
    return again
