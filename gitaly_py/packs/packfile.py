"""The bytes of a pack that is kept: in a file, and in memory from where the disk took no more.

The file is written once, from its beginning to its end: what was sent from the page cache must not change.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Final

from gitaly_py.packs.flow import Buffer
from gitaly_py.packs.reader import Wire
from gitaly_py.telemetry import metrics

BLOCK: Final = 262144  # most that is copied through memory at a time


class PackFile:
    """A file that grows, and that all of its readers share one descriptor of.

    fd: open for reading and writing; belongs to this object. dispose: closes a descriptor in its own time.
    fault: why the file grows no more. discarded: it is removed, or will be soon.
    """

    def __init__(self, path: str, fd: int, dispose: Callable[[int], None]) -> None:
        self.path = path
        self.fault: OSError | None = None
        self.discarded = False
        self._fd = fd
        self._dispose = dispose
        self._inode = os.fstat(fd).st_ino
        self._filed = 0
        self._rest = bytearray()
        self._rest_start = 0

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._rest)

    def open(self) -> None:
        """Makes sure that the file can be read, and that it is there for others, too. Raises OSError."""
        status = os.stat(self.path)
        if status.st_ino != self._inode or status.st_size < self._filed:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), self.path)
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def grow_to(self, size: int) -> None:
        """Others have written to the file, which has `size` bytes by now."""
        self._filed = size

    def close(self) -> None:
        """Closes the descriptor until the next `open`."""
        fd, self._fd = self._fd, -1
        if fd >= 0 and self.discarded:
            # The last descriptor of a removed file frees all of it.
            self._dispose(fd)
        elif fd >= 0:
            os.close(fd)

    def append(self, buffers: Sequence[Buffer]) -> None:
        """Adds bytes; a disk that takes no more is no error, see `fault`."""
        if self.fault is None:
            buffers = self._file(buffers)
        for buffer in buffers:
            self._rest += buffer

    def release(self, offset: int) -> None:
        """What is before `offset` need not be held in memory any more."""
        passed = offset - self._rest_start
        if self.fault is not None and passed > 0:
            del self._rest[:passed]
            self._rest_start = offset

    def send(self, wire: Wire, offset: int, length: int) -> int:
        """Moves 1 to `length` bytes, which must exist, to `wire`; returns how many.

        Raises BlockingIOError when the wire takes nothing, OSError.
        """
        filed = min(length, self._filed - offset)
        if filed <= 0:
            return wire.send(self._held(offset, min(length, BLOCK)))
        if wire.splice_fd is None:
            return wire.send(self._read(offset, min(filed, BLOCK)))
        sent = os.sendfile(wire.splice_fd, self._fd, offset, filed)
        if not sent:
            raise self._shrunk()
        metrics.streamcache_sendfile_bytes.inc(sent)
        return sent

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes, which must exist. Raises OSError."""
        filed = max(min(length, self._filed - offset), 0)
        data = self._read(offset, filed) if filed else b""
        return data if filed == length else data + self._held(offset + filed, length - filed)

    def _file(self, buffers: Sequence[Buffer]) -> Sequence[Buffer]:
        """Writes; returns what the disk did not take."""
        while buffers:
            try:
                written = os.pwritev(self._fd, buffers, self._filed)
            except OSError as error:
                self._rest_start = self._filed
                self.fault = error
                break
            self._filed += written
            buffers = _after(buffers, written)
        return buffers

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._fd, length, offset)
        if len(data) < length:
            raise self._shrunk()
        return data

    def _held(self, offset: int, length: int) -> bytes:
        start = offset - self._rest_start
        return bytes(self._rest[start : start + length])

    def _shrunk(self) -> OSError:
        return OSError(errno.EIO, "file was cut off while it was read", self.path)


def _after(buffers: Sequence[Buffer], length: int) -> list[Buffer]:
    """What follows the first `length` bytes."""
    rest: list[Buffer] = []
    if length == sum(map(len, buffers)):
        return rest
    for buffer in buffers:
        if length < len(buffer):
            rest.append(memoryview(buffer)[length:])
        length = max(length - len(buffer), 0)
    return rest
