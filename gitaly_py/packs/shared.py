"""A pack that is kept: any number of clients read its file, also while it is being made."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final, Protocol

from gitaly_py.git.splicing import filled
from gitaly_py.git.wire import sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.packs.flow import Buffer, Callback, Flow
from gitaly_py.packs.packfile import PackFile
from gitaly_py.packs.reader import PackReader, Wire
from gitaly_py.packs.waiters import Waiters
from gitaly_py.storage.threads import to_the_end

LEAD: Final = 1 << 20  # bytes the producer may be ahead of the fastest reader (transport.md 7.5)
BATCH: Final = 1 << 20  # bytes that are taken from git at a time: a whole pipe
SLOW_WRITE: Final = (
    0.02  # seconds; a disk that keeps the event loop waiting so long is written to in a thread
)


class Owner(Protocol):
    """Who keeps a pack."""

    def grown(self, length: int) -> None:
        """The pack got longer by `length` bytes."""

    def not_kept(self, fault: OSError) -> None:
        """The disk took no more: the pack's readers get it all, and then it is gone."""

    def abandoned(self) -> None:
        """The last reader left before the end."""


class SharedFlow(Flow):
    """Gives packets to everyone who joins, from the first to the last.

    backpressure: the producer waits until the fastest reader is less than LEAD behind. Where the disk is
    full, it waits for the slowest, since what follows is in memory.
    """

    def __init__(self, file: PackFile, owner: Owner, *, backpressure: bool) -> None:
        super().__init__()
        self.file = file
        self._owner = owner
        self._backpressure = backpressure
        self._readers: set[SharedReader] = set()
        self._fastest = 0
        self._waiters = Waiters()
        self._room: asyncio.Future[None] | None = None
        self._kept = True
        self._others = 0
        self._slow = False
        self._buffer = bytearray()

    # The producer's side.

    async def write(self, packet: bytes) -> None:
        """See Flow."""
        await self._room_for_more()
        self._append([packet])
        self._publish(len(packet))

    async def pack(self, pipe: int) -> int:
        """See Flow."""
        length = min(filled(pipe), await self._room_for_more(), BATCH)
        # Copied, not spliced: the kernel would copy as well, and it takes a call for each of the packets.
        if not self._buffer:
            self._buffer = bytearray(BATCH)
        data = memoryview(self._buffer)[:length]
        data = data[: os.readv(pipe, [data])]
        packets = _packets(data)
        if self._slow and self._kept:
            await to_the_end(self.file.append, packets)
        else:
            self._append(packets)
        self._publish(sum(map(len, packets)))
        return len(data)

    def end(self, failure: Exception | None) -> None:
        """See Flow."""
        self.failure = failure
        self.over = True
        self._buffer = bytearray()
        self._waiters.wake()
        self._close_unused()

    def replace(self, file: PackFile) -> None:
        """Takes another file, before anything is written."""
        self.file = file

    def grow_to(self, size: int) -> None:
        """Another worker has written to the file."""
        self.file.grow_to(size)
        self.written = size
        self._waiters.wake()

    @property
    def is_followed(self) -> bool:
        """Whether other workers read the file."""
        return self._others > 0

    def followed(self, others: int) -> None:
        """So many other workers read the file, each at its own pace."""
        self._others = others
        if not others and not self._readers and not self.over:
            self._owner.abandoned()
        else:
            self._check_room()

    # The readers' side.

    def join(self, key: str, *, hit: bool) -> SharedReader:
        """A further reader of the file, which must be open."""
        reader = SharedReader(self, key, hit=hit)
        self._readers.add(reader)
        return reader

    def leave(self, reader: SharedReader) -> None:
        """A reader has gone."""
        self._readers.discard(reader)
        if self.over:
            self._close_unused()
        elif self._readers:
            self._fastest = max(each.sent for each in self._readers)
            self._check_room()
        elif self._others:
            self._check_room()
        else:
            self._owner.abandoned()

    def wait(self, reader: SharedReader, callback: Callback | None) -> None:
        """See PackReader."""
        self._waiters.put(reader, callback)

    def moved(self, offset: int) -> None:
        """A reader has got as far as `offset`."""
        if offset > self._fastest:
            self._fastest = offset
        if self._room is not None:
            self._check_room()

    def _append(self, packets: list[Buffer]) -> None:
        began = time.monotonic()
        self.file.append(packets)
        self._slow = self._slow or time.monotonic() - began > SLOW_WRITE

    def _publish(self, length: int) -> None:
        self.written += length
        self._owner.grown(length)
        if self._kept and self.file.fault is not None:
            self._kept = False
            self._owner.not_kept(self.file.fault)
        self._waiters.wake()

    async def _room_for_more(self) -> int:
        """Waits until half of the lead is free, so that what is written next is worth a wake-up."""
        while self._ahead() > LEAD // 2:
            self._room = asyncio.get_running_loop().create_future()
            try:
                await self._room
            finally:
                self._room = None
        return LEAD - self._ahead()

    def _check_room(self) -> None:
        if self._room is not None and not self._room.done() and self._ahead() <= LEAD // 2:
            self._room.set_result(None)

    def _ahead(self) -> int:
        """Bytes between the producer and the reader it waits for."""
        bounded = self._backpressure and not self._others
        ahead = self.written - self._fastest if bounded else 0
        if self._kept:
            return ahead
        self.file.release(min((reader.sent for reader in self._readers), default=self.written))
        return max(ahead, self.file.held)

    def _close_unused(self) -> None:
        if not self._readers:
            self.file.close()


class SharedReader(PackReader):
    """Reads the file at an offset of its own."""

    def __init__(self, flow: SharedFlow, key: str, *, hit: bool) -> None:
        super().__init__(flow, key, hit=hit)
        self._shared = flow

    def available(self) -> int:
        """See PackReader."""
        return self._shared.written - self.sent

    def wait(self, callback: Callback | None) -> None:
        """See PackReader."""
        self._shared.wait(self, callback)

    def transfer(self, wire: Wire, length: int) -> int:
        """See PackReader."""
        sent = self._shared.file.send(wire, self.sent, length)
        self._moved(sent)
        return sent

    def detach(self, length: int) -> bytes:
        """See PackReader."""
        data = self._shared.file.read(self.sent, length)
        self._moved(length)
        return data

    def close(self) -> None:
        """See PackReader."""
        self.wait(None)
        self._shared.leave(self)

    def _moved(self, length: int) -> None:
        self.sent += length
        self._shared.moved(self.sent)


def _packets(data: memoryview) -> list[Buffer]:
    packets: list[Buffer] = []
    for offset in range(0, len(data), sideband.MAX_DATA):
        piece = data[offset : offset + sideband.MAX_DATA]
        packets += (sideband.header(Band.DATA, len(piece)), piece)
    return packets
