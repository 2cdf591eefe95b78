"""One yamux session as a state machine without I/O (transport.md 1.3 to 1.6)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from gitaly_py.transport.errors import SessionClosed, StreamClosed, StreamsExhausted
from gitaly_py.transport.yamux.events import (
    CreditGranted,
    DataReceived,
    Event,
    SessionFailed,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from gitaly_py.transport.yamux.frames import (
    ACK,
    FIN,
    HEADER_SIZE,
    INITIAL_WINDOW,
    RST,
    SYN,
    VERSION,
    FrameType,
    GoAwayCode,
    Header,
    decoded,
    encoded,
)

_IDS_END: Final = 2**32 - 2


class Side(enum.Enum):
    """Who dialled; the value is the first stream id a side uses."""

    CLIENT = 1
    SERVER = 2


# Numbers, whose hash is C: members of a plain Enum, which hash in Python, are dear in TRANSITIONS.
class State(enum.IntEnum):
    """How far a stream is closed."""

    OPEN = enum.auto()
    HALF_CLOSED_LOCAL = enum.auto()
    HALF_CLOSED_REMOTE = enum.auto()
    CLOSED = enum.auto()


class Step(enum.IntEnum):
    """What moves a stream from state to state."""

    SEND_FIN = enum.auto()
    RECEIVE_FIN = enum.auto()
    RESET = enum.auto()


# A pair that is missing must not happen: locally it is prevented, from the peer it is fatal (1.4).
TRANSITIONS: Final = {
    (State.OPEN, Step.SEND_FIN): State.HALF_CLOSED_LOCAL,
    (State.OPEN, Step.RECEIVE_FIN): State.HALF_CLOSED_REMOTE,
    (State.OPEN, Step.RESET): State.CLOSED,
    (State.HALF_CLOSED_LOCAL, Step.RECEIVE_FIN): State.CLOSED,
    (State.HALF_CLOSED_LOCAL, Step.RESET): State.CLOSED,
    (State.HALF_CLOSED_REMOTE, Step.SEND_FIN): State.CLOSED,
    (State.HALF_CLOSED_REMOTE, Step.RESET): State.CLOSED,
}
_SENDING: Final = (State.OPEN, State.HALF_CLOSED_REMOTE)
_RECEIVING: Final = (State.OPEN, State.HALF_CLOSED_LOCAL)


@dataclass(slots=True)
class _Stream:
    granted: int  # bytes the peer may still send
    state: State = State.OPEN
    credit: int = INITIAL_WINDOW  # bytes we may still send
    buffered: int = 0  # received and not yet consumed


class _Violation(Exception):
    """The peer broke the protocol; `code` is told it before the connection closes, unless None."""

    def __init__(self, reason: str, code: GoAwayCode | None = GoAwayCode.PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.code = code


class Session:
    """The frames of one connection, from either side.

    Call `data_to_send` after every other method and send what it gives, in order, whole frames at a time.
    Bytes from the peer never raise: a broken session ends with a single SessionFailed, its GoAway queued
    where transport.md 1.4 wants one, and from then on ignores input. Bodies of our own Data frames do not
    enter the session: `data_header` gives the header, and the owner sends the body right behind it.

    The session has no clock. Its owner resets a stream that stays half closed for too long, and closes
    the session when a stream it opened stays unacknowledged (transport.md 1.4).

    side: CLIENT opens odd streams, SERVER even ones.
    window: bytes a stream may have in flight towards us, at least 262144.
    backlog: streams of the peer that may wait for `accept`; further ones are refused with RST.
    """

    def __init__(self, side: Side, *, window: int = INITIAL_WINDOW, backlog: int = 256) -> None:
        if window < INITIAL_WINDOW:
            raise ValueError(f"window {window} is below {INITIAL_WINDOW}")
        self._side = side
        self._window = window
        self._backlog = backlog
        self._next_id = side.value
        self._streams: dict[int, _Stream] = {}
        self._unaccepted: set[int] = set()
        self._unacknowledged: set[int] = set()
        self._output: list[bytes] = []
        self._partial = b""  # of a header
        self._body_left = 0  # of the Data frame that is being received
        self._body_header = Header(0, 0, 0, 0, 0)
        self._body_stream: _Stream | None = None
        self._events: list[Event] = []
        self._failed = ""
        self._peer_leaving = False

    def receive_data(self, data: bytes | memoryview) -> list[Event]:
        """Takes bytes from the peer, cut anywhere; returns what they mean, in order."""
        self._events = []
        try:
            self._parse(data)
        except _Violation as violation:
            if violation.code is not None:
                self._output.append(encoded(FrameType.GO_AWAY, 0, 0, violation.code))
            self._fail(str(violation), violation=True)
        return self._events

    def receive_eof(self) -> list[Event]:
        """The peer closed the connection: all streams are over."""
        self._events = []
        if not self._failed:
            self._fail("unexpected EOF" if self._partial or self._body_left else "EOF", violation=False)
        return self._events

    def data_to_send(self) -> list[bytes]:
        """Takes the frames that are to be sent, whole and in order."""
        output, self._output = self._output, []
        return output

    @property
    def frames_to_send(self) -> int:
        """How many frames `data_to_send` would give."""
        return len(self._output)

    def knows(self, stream: int) -> bool:
        """Whether the stream is open in either direction."""
        return stream in self._streams

    @property
    def unacknowledged(self) -> int:
        """Own streams the peer has not acknowledged; it may refuse more than its backlog of them."""
        return len(self._unacknowledged)

    def acknowledged(self, stream: int) -> bool:
        """Whether the peer has acknowledged a stream we opened; True for one that is gone."""
        return stream not in self._unacknowledged

    def open(self) -> int:
        """Opens a stream and returns its id; data may follow at once.

        Raises SessionClosed when the session is over or the peer going away, StreamsExhausted.
        """
        if self._failed or self._peer_leaving:
            raise SessionClosed(self._failed or "peer is going away")
        if self._next_id >= _IDS_END:
            raise StreamsExhausted
        stream = self._next_id
        self._next_id += 2
        self._streams[stream] = _Stream(granted=self._window)
        self._unacknowledged.add(stream)
        self._output.append(encoded(FrameType.WINDOW_UPDATE, SYN, stream, self._window - INITIAL_WINDOW))
        return stream

    def accept(self, stream: int) -> None:
        """Acknowledges a stream of the peer and grants it the whole window."""
        if stream not in self._unaccepted:
            return
        self._unaccepted.discard(stream)
        found = self._streams[stream]
        extra = self._window - INITIAL_WINDOW
        found.granted += extra
        self._output.append(encoded(FrameType.WINDOW_UPDATE, ACK, stream, extra))

    def credit(self, stream: int) -> int:
        """Body bytes the peer takes now; 0 too when we can send no more on this stream."""
        found = self._streams.get(stream)
        return found.credit if found is not None and found.state in _SENDING else 0

    def data_header(self, stream: int, length: int, *, fin: bool = False) -> bytes:
        """Spends `length` bytes of credit; the body must follow the header that is returned.

        Raises StreamClosed when nothing may be sent, ValueError when `length` exceeds the credit.
        """
        found = self._streams.get(stream)
        if found is None or found.state not in _SENDING:
            raise StreamClosed
        if length > found.credit:
            raise ValueError(f"{length} bytes exceed the credit of {found.credit}")
        found.credit -= length
        if fin:
            self._move(stream, found, Step.SEND_FIN)
        return encoded(FrameType.DATA, FIN if fin else 0, stream, length)

    def data(self, stream: int, body: bytes) -> None:
        """Queues a whole Data frame among those of the session. Raises as `data_header`."""
        self._output.append(self.data_header(stream, len(body)) + body)

    def consumed(self, stream: int, length: int) -> bool:
        """The owner has used `length` bytes. True if half the window is free: it is granted anew."""
        found = self._streams.get(stream)
        if found is None or found.state not in _RECEIVING:
            return False
        found.buffered -= length
        delta = self._window - found.buffered - found.granted
        if delta < self._window // 2:
            return False
        found.granted += delta
        self._output.append(encoded(FrameType.WINDOW_UPDATE, 0, stream, delta))
        return True

    def close(self, stream: int) -> None:
        """Sends FIN: we send no more, and may go on receiving. Does nothing on a stream closed before."""
        found = self._streams.get(stream)
        if found is not None and found.state in _SENDING:
            self._output.append(encoded(FrameType.WINDOW_UPDATE, FIN, stream, 0))
            self._move(stream, found, Step.SEND_FIN)

    def reset(self, stream: int) -> None:
        """Aborts a stream in both directions. Does nothing on one that is gone."""
        found = self._streams.get(stream)
        if found is not None:
            self._output.append(encoded(FrameType.WINDOW_UPDATE, RST, stream, 0))
            self._move(stream, found, Step.RESET)

    def _parse(self, data: bytes | memoryview) -> None:
        offset, end = 0, len(data)
        if self._partial:
            offset = min(HEADER_SIZE - len(self._partial), end)
            self._partial += data[:offset]
            if len(self._partial) < HEADER_SIZE:
                return
            header, self._partial = decoded(self._partial), b""
            self._receive_frame(header)
        while offset < end and not self._failed:
            if self._body_left:
                taken = min(self._body_left, end - offset)
                self._receive_body(bytes(data[offset : offset + taken]))
                offset += taken
            elif end - offset < HEADER_SIZE:
                self._partial = bytes(data[offset:])
                offset = end
            else:
                self._receive_frame(decoded(data, offset))
                offset += HEADER_SIZE

    def _receive_frame(self, header: Header) -> None:
        if header.version != VERSION:
            raise _Violation(f"version {header.version}", code=None)
        if header.type <= FrameType.WINDOW_UPDATE:
            self._receive_stream_frame(header)
        elif header.type == FrameType.PING:
            if header.flags & SYN:
                self._output.append(encoded(FrameType.PING, ACK, 0, header.length))
        elif header.type == FrameType.GO_AWAY:
            self._receive_go_away(header.length)
        else:
            raise _Violation(f"frame type {header.type}", code=None)

    def _receive_stream_frame(self, header: Header) -> None:
        _, kind, flags, number, length = header
        if flags & SYN:
            self._receive_syn(number)
        stream = self._streams.get(number)
        if flags and stream is not None:
            if flags & ACK:
                self._unacknowledged.discard(number)
            if flags & RST:
                self._move(number, stream, Step.RESET)
                self._events.append(StreamReset(number))
                stream = None
        if kind == FrameType.DATA:
            self._receive_data_header(header, stream)
            return
        if stream is None:
            return
        if length:
            stream.credit += length
            self._events.append(CreditGranted(number, length))
        if flags & FIN:
            self._receive_fin(number, stream)

    def _receive_syn(self, number: int) -> None:
        if number in self._streams:
            raise _Violation(f"stream {number} is open already")
        if number == 0 or number % 2 == self._side.value % 2:
            raise _Violation(f"stream {number} is not the peer's to open")
        if len(self._unaccepted) >= self._backlog:
            self._output.append(encoded(FrameType.WINDOW_UPDATE, RST, number, 0))
            return
        self._unaccepted.add(number)
        self._streams[number] = _Stream(granted=INITIAL_WINDOW)
        self._events.append(StreamOpened(number))

    def _receive_data_header(self, header: Header, stream: _Stream | None) -> None:
        if stream is not None:
            if header.length > stream.granted:
                raise _Violation(f"stream {header.stream} exceeds its window")
            stream.granted -= header.length
        self._body_left, self._body_header, self._body_stream = header.length, header, stream
        if not header.length and header.flags & FIN:
            self._receive_fin_of_body()

    def _receive_body(self, data: bytes) -> None:
        self._body_left -= len(data)
        stream = self._body_stream
        if stream is not None and stream.state in _RECEIVING:
            stream.buffered += len(data)
            self._events.append(DataReceived(self._body_header.stream, data))
        if not self._body_left and self._body_header.flags & FIN:
            self._receive_fin_of_body()

    def _receive_fin_of_body(self) -> None:
        # The FIN of a Data frame counts only now: the stream ends behind the frame's own bytes.
        stream = self._body_stream
        if stream is not None and stream.state is not State.CLOSED:
            self._receive_fin(self._body_header.stream, stream)

    def _receive_fin(self, number: int, stream: _Stream) -> None:
        if (stream.state, Step.RECEIVE_FIN) not in TRANSITIONS:
            raise _Violation(f"stream {number} was closed already")
        self._move(number, stream, Step.RECEIVE_FIN)
        self._events.append(StreamEnded(number))

    def _receive_go_away(self, code: int) -> None:
        if code == GoAwayCode.NORMAL:
            self._peer_leaving = True
        else:
            self._fail(f"peer went away with code {code}", violation=False)

    def _move(self, number: int, stream: _Stream, step: Step) -> None:
        stream.state = TRANSITIONS[stream.state, step]
        if stream.state is State.CLOSED:
            del self._streams[number]
            self._unaccepted.discard(number)
            self._unacknowledged.discard(number)

    def _fail(self, reason: str, *, violation: bool) -> None:
        self._failed = reason
        self._streams.clear()
        self._unaccepted.clear()
        self._unacknowledged.clear()
        self._events.append(SessionFailed(reason, violation))
