"""A client's end of a multiplexed connection that takes packs and throws them away (transport.md 1.3 to 1.8).

yamux by hand and without buffers, so that a core of clients can take whatever a core of server sends.
"""

from __future__ import annotations

import time

from benchmarks.packs.calls import PREFACE, Broken, Calls
from benchmarks.packs.discarding import TURN_BYTES, Discarding, Fetch
from gitaly_py.transport.framing import END, framed
from gitaly_py.transport.frontdoor import MAGIC as BACKCHANNEL
from gitaly_py.transport.sidechannel import CONFIRMATION, ID, MAGIC
from gitaly_py.transport.yamux.frames import (
    ACK,
    FIN,
    HEADER_SIZE,
    INITIAL_WINDOW,
    RST,
    SYN,
    FrameType,
    decoded,
    encoded,
)

_CONTROL = 1
"""The stream that carries gRPC."""

_INTRODUCTION = len(MAGIC) + ID.size


class _Stream:
    """A stream as its receiver sees it. consumed: bytes not given back to the sender's window yet."""

    def __init__(self) -> None:
        self.fetch: Fetch | None = None
        self.head = b""
        self.consumed = 0
        self.stalled = False


class Connection:
    """One multiplexed connection. window: bytes the server may have in flight on each stream."""

    def __init__(self, address: str, window: int) -> None:
        self._wire = Discarding(address)
        self.socket = self._wire.socket
        self._window = window
        self._calls = Calls()
        self._fetches: dict[int, Fetch] = {}
        self._waiting: dict[int, Fetch] = {}
        self._sidechannels = iter(range(1 << 62))
        self._streams = {_CONTROL: _Stream()}
        self._done: list[Fetch] = []
        self._header = b""
        self._current = _CONTROL
        self._flags = self._left = 0
        self.socket.sendall(BACKCHANNEL)
        self._update(SYN, window - INITIAL_WINDOW)
        self._send(_CONTROL, PREFACE)

    def begin(self, fetch: Fetch) -> None:
        """Makes the call."""
        sidechannel = next(self._sidechannels)
        fetch.started = time.perf_counter()
        fetch.call, data = self._calls.request(fetch.request, sidechannel)
        self._fetches[fetch.call] = self._waiting[sidechannel] = fetch
        self._send(_CONTROL, data)

    def receive(self) -> list[Fetch]:
        """Takes what has come, or a turn's share of it; the fetches that have ended. Raises Broken."""
        self._done = []
        budget = TURN_BYTES
        try:
            while budget > 0:
                budget -= self._take_body() if self._left else self._take_header()
        except BlockingIOError:
            pass
        return self._done

    def verify(self) -> None:
        """Raises Broken unless every call that was answered has succeeded."""
        self._calls.verify()

    def close(self) -> None:
        self._wire.close()

    def _take_header(self) -> int:
        data = self._wire.take(HEADER_SIZE - len(self._header))
        self._header += data
        if len(self._header) == HEADER_SIZE:
            _, kind, self._flags, self._current, length = decoded(self._header)
            self._header = b""
            self._on_header(kind, length)
        return len(data)

    def _on_header(self, kind: int, length: int) -> None:
        if kind == FrameType.PING:
            if self._flags & SYN:
                self.socket.sendall(encoded(FrameType.PING, ACK, 0, length))
        elif kind == FrameType.GO_AWAY:
            raise Broken(f"GoAway {length}")
        else:
            if self._flags & SYN:
                self._streams[self._current] = _Stream()
                self._update(ACK, self._window - INITIAL_WINDOW)
            self._left = length if kind == FrameType.DATA else 0
            if not self._left:
                self._on_frame_end()

    def _take_body(self) -> int:
        stream = self._streams.get(self._current)
        if stream is None:
            count = self._wire.discard(self._left)
        else:
            count = self._take_from(stream)
            self._give_back(stream, count)
        self._left -= count
        if not self._left:
            self._on_frame_end()
        return count

    def _take_from(self, stream: _Stream) -> int:
        if stream.fetch is not None:
            return self._take_answer(stream, stream.fetch)
        if self._current == _CONTROL:
            data = self._wire.take(self._left)
            self._on_control(data)
        else:
            data = self._wire.take(min(self._left, _INTRODUCTION - len(stream.head)))
            self._introduce(stream, data)
        return len(data)

    def _take_answer(self, stream: _Stream, fetch: Fetch) -> int:
        if fetch.first and fetch.keep is None:
            count = self._wire.discard(self._left)
        else:
            data = self._wire.take(self._left)
            count = len(data)
            self._look_at(stream, fetch, data)
        fetch.received += count
        if 0 < fetch.request.leave <= fetch.received:
            self._leave(fetch)
        elif 0 < fetch.request.stall <= fetch.received:
            stream.stalled = True
            self._end(fetch)
        return count

    def _look_at(self, stream: _Stream, fetch: Fetch, data: bytes) -> None:
        marker = fetch.request.marker
        if not fetch.first:
            stream.head = stream.head[-len(marker) :] + data
            if marker in stream.head:
                fetch.first = time.perf_counter()
        if fetch.keep is not None:
            fetch.keep.write(data)

    def _give_back(self, stream: _Stream, count: int) -> None:
        stream.consumed += count
        if stream.consumed * 2 >= self._window and not stream.stalled and self._current in self._streams:
            self._update(0, stream.consumed)
            stream.consumed = 0

    def _introduce(self, stream: _Stream, data: bytes) -> None:
        """Reads which side channel this is, and sends the whole request at once, as workhorse does."""
        stream.head += data
        if len(stream.head) < _INTRODUCTION:
            return
        if not stream.head.startswith(MAGIC):
            raise Broken(f"a stream that begins {stream.head!r}")
        fetch = stream.fetch = self._waiting.pop(ID.unpack(stream.head[len(MAGIC) :])[0])
        fetch.opened = True
        stream.head = b""
        self._send(self._current, CONFIRMATION + framed(fetch.request.body) + END)

    def _leave(self, fetch: Fetch) -> None:
        """Hangs up in the middle, as a client whose user has."""
        self._update(FIN, 0)
        self._update(RST, 0)
        self._send(_CONTROL, self._calls.cancel(fetch.call))
        del self._streams[self._current]
        self._fetches.pop(fetch.call, None)
        self._end(fetch)

    def _on_frame_end(self) -> None:
        stream = self._streams.get(self._current)
        if stream is None or not self._flags & (FIN | RST):
            return
        if self._current == _CONTROL or self._flags & RST:
            raise Broken(f"stream {self._current} was ended by the server")
        del self._streams[self._current]
        self._update(FIN, 0)
        if stream.fetch is not None:
            stream.fetch.finished = True
            self._end_if_all_came(stream.fetch)

    def _on_control(self, data: bytes) -> None:
        ended, answer = self._calls.receive(data)
        if answer:
            self._send(_CONTROL, answer)
        for number in ended:
            if fetch := self._fetches.pop(number, None):
                fetch.answered = True
                self._end_if_all_came(fetch)

    def _end_if_all_came(self, fetch: Fetch) -> None:
        if fetch.answered and (fetch.finished or not fetch.opened):
            self._end(fetch)

    def _end(self, fetch: Fetch) -> None:
        if not fetch.ended:
            fetch.ended = time.perf_counter()
            self._done.append(fetch)

    def _update(self, flags: int, length: int) -> None:
        self.socket.sendall(encoded(FrameType.WINDOW_UPDATE, flags, self._current, length))

    def _send(self, stream: int, data: bytes) -> None:
        self.socket.sendall(encoded(FrameType.DATA, 0, stream, len(data)) + data)
