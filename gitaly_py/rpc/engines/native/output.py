"""The way from the HTTP/2 core to the wire: as few system calls as can be, and no copy of what is large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.streams import Buffer
from gitaly_py.transport.wire import WIRE_ERRORS, Wire

BATCH_BYTES: Final = 262144  # of messages, taken from the core at a time
JOINED_BYTES: Final = 65536  # up to here one copy costs less than telling the kernel of many pieces


class Output:
    """Sends what `core` has as far as the wire takes it, and the rest when it takes more.

    on_progress: called when the core may take more messages. on_lost: called when the wire is dead.
    sent: octets so far.
    """

    def __init__(
        self, wire: Wire, core: Connection, *, on_progress: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        self._wire = wire
        self._core = core
        self._on_progress = on_progress
        self._on_lost = on_lost
        self._unsent: list[Buffer] = []
        self._blocked = False
        self._stopped = False
        self.sent = 0

    @property
    def idle(self) -> bool:
        """Nothing waits for the wire or for a window."""
        return not (self._unsent or self._core.pending or self._core.queued)

    def send(self) -> None:
        """Sends until nothing is left or the wire takes no more."""
        if self._blocked or self._stopped:
            return
        try:
            while self._unsent or self._core.pending:
                if not self._unsent:
                    self._unsent = self._core.take(BATCH_BYTES)
                if self._unsent:
                    self._write()
        except BlockingIOError:
            self._blocked = True
            self._wire.watch_writable(self._writable)
        except WIRE_ERRORS:
            self._on_lost()
            return
        self._on_progress()

    def stop(self) -> None:
        """Nothing is sent any more."""
        self._stopped = True
        self._unsent = []
        self._wire.watch_writable(None)

    def _write(self) -> None:
        buffers = self._unsent
        size = sum(map(len, buffers))
        if len(buffers) > 1 and size <= JOINED_BYTES:
            buffers = self._unsent = [b"".join(buffers)]
        sent = self._wire.send(buffers[0]) if len(buffers) == 1 else self._wire.send_many(buffers)
        self.sent += sent
        self._unsent = [] if sent == size else _rest(buffers, sent)

    def _writable(self) -> None:
        self._blocked = False
        self._wire.watch_writable(None)
        self.send()


def _rest(buffers: list[Buffer], sent: int) -> list[Buffer]:
    """What is left of `buffers` behind the first `sent` octets."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[index + 1 :]]
        sent -= len(buffer)
    return []
