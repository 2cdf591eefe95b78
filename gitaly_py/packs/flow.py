"""The packets of one pack between whoever makes it and whoever reads it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

Buffer = bytes | bytearray | memoryview
Callback = Callable[[], None]


class Flow(ABC):
    """Takes packets, which readers get as they come (transport.md 7.5).

    written: bytes so far. over: there will be no more. failure: why, if the pack is not complete.
    producer: the task that writes whole packets, one after the other.
    """

    def __init__(self) -> None:
        self.written = 0
        self.over = False
        self.failure: Exception | None = None
        self.producer: asyncio.Task[Any] | None = None

    def abandon(self) -> None:
        """Nobody reads any more: ends the producer."""
        if self.producer is not None:
            self.producer.cancel()

    @abstractmethod
    async def write(self, packet: bytes) -> None:
        """Takes whole packets. Waits when the readers are too far behind."""

    @abstractmethod
    async def pack(self, pipe: int) -> int:
        """Takes what is in a pipe, or some of it, as packets of band 1; returns how much that was.

        Waits when the readers are too far behind.
        """

    @abstractmethod
    def end(self, failure: Exception | None) -> None:
        """No more will come; readers get what there is, and then the failure."""
