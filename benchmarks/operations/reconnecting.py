"""Clients that call without a pause and connect again when their connection is over, as Rails' does.

A call that the server has said it did not take (a GOAWAY that names an earlier one) is made again, which
HTTP/2 lets clients do (RFC 9113, 6.8). Any other call without an answer has failed.
"""

from __future__ import annotations

import select
import threading
import time
from dataclasses import dataclass, field

from hpack import Decoder

from benchmarks.operations.calls import Target
from benchmarks.rpc.connection import GOAWAY, Broken, Connection, ended
from benchmarks.rpc.metadata import Metadata, block_maker

_PAUSE = 0.002


@dataclass
class Outcomes:
    """What became of calls.

    answered: with status 0. lost: when each call ended that has no answer (time.monotonic). refused: what
    other answers there were. again: calls made again, as they were not taken. connections: made so far.
    longest: seconds from the first attempt of a call to its answer.
    """

    answered: int = 0
    lost: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    again: int = 0
    connections: int = 0
    longest: float = 0.0


class _Connection(Connection):
    """A connection whose end can be announced. last: stream that the server takes at most."""

    def __init__(self, path: str) -> None:
        self.last = (1 << 31) - 1
        self.leaving = False
        super().__init__(path)

    def over(self) -> bool:
        """Whether the server has said so, or is gone, while no call was under way."""
        try:
            while not self.leaving and select.select([self.socket], [], [], 0)[0]:
                self.receive()
        except (Broken, OSError):
            return True
        return self.leaving

    def _control(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == GOAWAY:
            self.leaving = True
            self.last = int.from_bytes(payload[:4]) & 0x7FFFFFFF
        else:
            super()._control(kind, flags, payload)


class Client(threading.Thread):
    """One client, until `stop` is set. Everything it met is in `outcomes`."""

    def __init__(self, target: Target, stop: threading.Event) -> None:
        super().__init__()
        self.outcomes = Outcomes()
        self._target = target
        self._stopping = stop

    def run(self) -> None:
        """Calls on one connection after another."""
        while not self._stopping.is_set():
            try:
                self._use(_Connection(self._target.socket))
            except OSError:
                self.outcomes.lost.append(time.monotonic())
            self.outcomes.connections += 1

    def _use(self, connection: _Connection) -> None:
        """Calls until the connection is over."""
        decoder = Decoder()
        try:
            try:
                connection.settle()
            except (Broken, OSError):
                if not connection.leaving:
                    self.outcomes.lost.append(time.monotonic())
                return
            make_block = block_maker(self._target.path, Metadata.NONE, connection.table_size)
            stream = -1
            while not (connection.over() or self._stopping.is_set()):
                stream += 2
                [data] = connection.requests(1, make_block, self._target.message)
                if not self._call(connection, decoder, stream, data):
                    return
                time.sleep(_PAUSE)
        finally:
            connection.close()

    def _call(self, connection: _Connection, decoder: Decoder, stream: int, data: bytes) -> bool:
        """Whether there was an answer."""
        since = time.monotonic()
        try:
            connection.send(data)
            while not ended(connection.receive()):
                if stream > connection.last:
                    self.outcomes.again += 1
                    return False
        except (Broken, OSError):
            if stream > connection.last:
                self.outcomes.again += 1
            else:
                self.outcomes.lost.append(time.monotonic())
            return False
        self.outcomes.longest = max(self.outcomes.longest, time.monotonic() - since)
        self._take(connection, decoder)
        return True

    def _take(self, connection: _Connection, decoder: Decoder) -> None:
        blocks, connection.blocks = connection.blocks, []
        fields = dict(pair for block in blocks for pair in decoder.decode(block, raw=True))
        if fields.get(b"grpc-status") == b"0":
            self.outcomes.answered += 1
        else:
            self.outcomes.refused.append(f"{fields.get(b'grpc-status')!r} {fields.get(b'grpc-message')!r}")
