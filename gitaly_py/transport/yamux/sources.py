"""Where the bodies of outgoing Data frames come from: memory, a file, a pipe.

A source says how much can be framed now, and moves exactly what was framed into the wire: by the kernel
alone where the wire allows it (sendfile, splice), through memory where it does not (TLS).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import select
import struct
import termios
from typing import Final, Protocol

from gitaly_py.transport.errors import TruncatedSource
from gitaly_py.transport.wire import Buffer, Callback, Wire

BLOCK: Final = 262144  # most that is copied through memory at a time
PIPE_SIZE: Final = 1 << 20  # unprivileged users may have pipes of up to this size
BULK_BYTES: Final = 1 << 20  # a pipe that has given this much is bulk: frames get large, not early
FEW_BYTES: Final = 262144  # less than this of bulk is left to grow for a while
REST: Final = 0.002  # seconds of that; git writes some 8 KiB at a time, and each frame costs both ends alike

_SPLICE_F_MOVE: Final = 1
_SPLICE_F_NONBLOCK: Final = 2


class Source(Protocol):
    """Bytes to send, in order."""

    @property
    def done(self) -> bool:
        """All bytes were moved."""

    def available(self) -> int:
        """Bytes that can be framed now; 0 when done, or when more will come: see `wait`. Raises OSError."""

    def wait(self, callback: Callback | None) -> None:
        """Calls `callback` once when more may be available; None takes that back."""

    def lead(self, limit: int) -> bytes:
        """Takes out up to `limit` bytes that come next and are in memory, to travel with a frame's header.

        None where there are none, or too many for copying them to be worth it.
        """

    def transfer(self, wire: Wire, length: int) -> int:
        """Moves 1 to `length` bytes, which `available` has promised; returns how many.

        Raises BlockingIOError when the wire takes nothing, TruncatedSource, OSError.
        """

    def detach(self, length: int) -> bytes:
        """Takes the next `length` bytes out, so that the descriptor is not needed any more.

        Raises TruncatedSource, OSError.
        """


class BytesSource:
    """Bytes in memory, which must not change until they are sent."""

    def __init__(self, data: Buffer) -> None:
        self._rest = memoryview(data).cast("B") if len(data) else memoryview(b"")

    @property
    def done(self) -> bool:
        """See Source."""
        return not self._rest

    def available(self) -> int:
        """See Source."""
        return len(self._rest)

    def wait(self, callback: Callback | None) -> None:
        """Nothing to wait for."""

    def transfer(self, wire: Wire, length: int) -> int:
        """See Source."""
        sent = wire.send(self._rest[:length])
        self._rest = self._rest[sent:]
        return sent

    def detach(self, length: int) -> bytes:
        """See Source."""
        data = bytes(self._rest[:length])
        self._rest = self._rest[length:]
        return data

    def lead(self, limit: int) -> bytes:
        """See Source."""
        return self.detach(limit) if len(self._rest) <= limit else b""


class FileSource:
    """A range of a file that exists already; the file's own position is not used."""

    def __init__(self, fd: int, offset: int, length: int) -> None:
        self._fd = fd
        self._offset = offset
        self._left = length

    @property
    def done(self) -> bool:
        """See Source."""
        return not self._left

    def available(self) -> int:
        """See Source."""
        return self._left

    def wait(self, callback: Callback | None) -> None:
        """Nothing to wait for: the range exists."""

    def lead(self, limit: int) -> bytes:  # noqa: ARG002 - none of it is in memory
        """See Source."""
        return b""

    def transfer(self, wire: Wire, length: int) -> int:
        """See Source."""
        if wire.splice_fd is None:
            data = os.pread(self._fd, min(length, BLOCK), self._offset)
            sent = wire.send(data) if data else 0
        else:
            sent = os.sendfile(wire.splice_fd, self._fd, self._offset, length)
        if not sent:
            raise TruncatedSource(length)
        self._moved(sent)
        return sent

    def detach(self, length: int) -> bytes:
        """See Source."""
        data = os.pread(self._fd, length, self._offset)
        if len(data) < length:
            raise TruncatedSource(length - len(data))
        self._moved(length)
        return data

    def _moved(self, length: int) -> None:
        self._offset += length
        self._left -= length


class PipeSource:
    """A pipe until its end, grown to PIPE_SIZE; anything else FIONREAD works on is read instead of spliced.

    Nobody else may read from it.
    """

    def __init__(self, fd: int) -> None:
        self.sent = 0
        self._fd = fd
        self._ended = False
        self._held = memoryview(b"")  # read, and not yet taken by the wire
        self._spliceable = True
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._waiting = False
        self._resting: asyncio.TimerHandle | None = None
        self._rested = True
        self._large = False
        # Not a pipe, or the user's share of pipe memory is used up: a smaller buffer is only slower.
        with contextlib.suppress(OSError):
            self._large = fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE

    @property
    def done(self) -> bool:
        """See Source."""
        return self._ended

    def available(self) -> int:
        """See Source."""
        filled = self._filled()
        # Whoever polls ready and is empty has ended; the fill is read again since it may have come between.
        if not filled and self._poll.poll(0):
            filled = self._filled()
            self._ended = not filled
        # A smaller pipe would be full before the rest is over, and git would stand still.
        bulk = self._large and self.sent >= BULK_BYTES
        self._rested = not (bulk and self._rested and 0 < filled < FEW_BYTES)
        return filled if self._rested else 0

    def wait(self, callback: Callback | None) -> None:
        """See Source."""
        loop = asyncio.get_running_loop()
        if self._waiting:
            self._waiting = False
            loop.remove_reader(self._fd)
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if callback is None:
            return
        if self._rested:
            self._waiting = True
            loop.add_reader(self._fd, self._arrived, callback)
        else:
            self._resting = loop.call_later(REST, callback)

    def lead(self, limit: int) -> bytes:  # noqa: ARG002 - none of it is in memory
        """See Source."""
        return b""

    def transfer(self, wire: Wire, length: int) -> int:
        """See Source."""
        sent = 0
        if wire.splice_fd is not None and self._spliceable and not self._held:
            sent = self._splice(wire.splice_fd, length)
        if not sent:
            if not self._held:
                self._held = memoryview(self._read(min(length, BLOCK)))
            sent = wire.send(self._held)
            self._held = self._held[sent:]
        self.sent += sent
        return sent

    def detach(self, length: int) -> bytes:
        """See Source."""
        data = bytes(self._held)
        self._held = memoryview(b"")
        while len(data) < length:
            data += self._read(length - len(data))
        self.sent += length
        return data

    def _arrived(self, callback: Callback) -> None:
        self.wait(None)
        callback()

    def _filled(self) -> int:
        count: int = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, b"\0\0\0\0"))[0]
        return count

    def _splice(self, target: int, length: int) -> int:
        try:
            return os.splice(self._fd, target, length, flags=_SPLICE_F_MOVE | _SPLICE_F_NONBLOCK)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._spliceable = False
            return 0

    def _read(self, length: int) -> bytes:
        data = os.read(self._fd, length)
        if not data:
            raise TruncatedSource(length)
        return data


class PrefixedSource:
    """Bytes in memory, and behind them what another source gives; a frame may hold both."""

    def __init__(self, prefix: Buffer, source: Source) -> None:
        self._prefix = BytesSource(prefix)
        self._source = source

    @property
    def done(self) -> bool:
        """See Source."""
        return self._prefix.done and self._source.done

    def available(self) -> int:
        """See Source."""
        return self._prefix.available() + self._source.available()

    def wait(self, callback: Callback | None) -> None:
        """See Source."""
        self._source.wait(callback)

    def lead(self, limit: int) -> bytes:
        """See Source."""
        data = self._prefix.lead(limit)
        return data + self._source.lead(limit - len(data)) if self._prefix.done else data

    def transfer(self, wire: Wire, length: int) -> int:
        """See Source."""
        return (self._source if self._prefix.done else self._prefix).transfer(wire, length)

    def detach(self, length: int) -> bytes:
        """See Source."""
        data = self._prefix.detach(length)
        return data + self._source.detach(length - len(data)) if len(data) < length else data
