"""Our server and the client of another library, in memory: whatever they do, both have the same bodies."""

from __future__ import annotations

from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2 import events
from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.limits import Limits
from gitaly_py.rpc.http2.replies import RESPONSE, trailers
from gitaly_py.rpc.status import OK
from tests.support.http2 import REQUEST

TRAILERS = trailers(OK, (("x-large", "x" * 20000),))


@dataclass
class Call:
    """What was sent and what arrived, in both directions; cut: one side reset it."""

    number: int
    request: bytearray = field(default_factory=bytearray)
    response: bytearray = field(default_factory=bytearray)
    request_seen: bytearray = field(default_factory=bytearray)
    response_seen: bytearray = field(default_factory=bytearray)
    request_ended: bool = False
    request_end_seen: bool = False
    response_ended: bool = False
    response_end_seen: bool = False
    cut: bool = False
    begun: bool = False


class Pair:
    """A client and a server; octets lie in between until they are carried over."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.client = h2.connection.H2Connection(config)
        self.client.initiate_connection()
        self.server = Connection(
            Limits(stream_window=65535, connection_window=100_000, resets=10_000, ping_strikes=0),
            clock=lambda: 0.0,
        )
        self.calls: dict[int, Call] = {}
        self._to_server = bytearray()
        self._to_client = bytearray()
        self._unacknowledged = True

    # What the client does.

    def open(self, _which: int, size: int) -> None:
        number = self.client.get_next_available_stream_id()
        self.calls[number] = Call(number)
        extra = [(f"x-{index}", "value" * index) for index in range(size % 20)]
        self.client.send_headers(number, [*REQUEST, *extra], priority_weight=16 if size % 2 else None)

    def send(self, which: int, size: int) -> None:
        call = self._call(which)
        if call is None or call.request_ended:
            return
        size = min(
            size, self.client.local_flow_control_window(call.number), self.client.max_outbound_frame_size
        )
        padding = size % 256 if size % 3 == 0 and size > 600 else None
        if padding is not None:
            size -= padding + 1
        call.request += bytes([which % 256]) * size
        self.client.send_data(call.number, bytes([which % 256]) * size, pad_length=padding)

    def end(self, which: int, size: int) -> None:
        call = self._call(which)
        if call is None or call.request_ended:
            return
        call.request_ended = True
        if size % 2:
            self.client.end_stream(call.number)
        else:
            self.client.send_headers(call.number, [("x-trailer", "1")], end_stream=True)

    def cancel(self, which: int, _size: int) -> None:
        call = self._call(which)
        if call is not None:
            call.cut = True
            self.client.reset_stream(call.number, h2.errors.ErrorCodes.CANCEL)

    def ping(self, _which: int, size: int) -> None:
        self.client.ping(size.to_bytes(8))

    def initial_window(self, _which: int, size: int) -> None:
        self._change_setting(h2.settings.SettingCodes.INITIAL_WINDOW_SIZE, size)

    def max_frame(self, _which: int, size: int) -> None:
        self._change_setting(h2.settings.SettingCodes.MAX_FRAME_SIZE, 16384 + size)

    def _change_setting(self, key: h2.settings.SettingCodes, value: int) -> None:
        """One at a time: the library takes the acknowledgement of any for that of this one."""
        if not self._unacknowledged:
            self._unacknowledged = True
            self.client.update_settings({key: value})

    # What the server does.

    def message(self, which: int, size: int) -> None:
        call = self._call(which)
        if call is None or call.response_ended:
            return
        if not call.begun:
            call.begun = True
            self.server.send_headers(call.number, RESPONSE)
        call.response += bytes([which % 256]) * size
        self.server.send_data(
            call.number, bytes([which % 256]) * (size // 2), bytes([which % 256]) * (size - size // 2)
        )

    def finish(self, which: int, size: int) -> None:
        call = self._call(which)
        if call is None or call.response_ended:
            return
        call.response_ended = True
        if call.begun:
            self.server.send_trailers(call.number, TRAILERS)
        else:
            call.response += bytes(size)
            self.server.respond(call.number, RESPONSE, bytes(size), TRAILERS)

    def reset(self, which: int, _size: int) -> None:
        call = self._call(which)
        if call is not None:
            call.cut = True
            self.server.reset(call.number, ErrorCode.INTERNAL_ERROR)

    # What lies between them.

    def to_server(self, _which: int, size: int) -> None:
        self._to_server += self.client.data_to_send()
        part, self._to_server = self._to_server[:size], self._to_server[size:]
        for event in self.server.receive(bytes(part)):
            assert not isinstance(event, events.ConnectionFailed), event
            call = self.calls[event.stream] if not isinstance(event, events.PingAnswered) else None
            assert call is not None
            if isinstance(event, events.DataReceived):
                call.request_seen += event.data
                self.server.consumed(event.stream, len(event.data))
            call.request_end_seen |= isinstance(event, events.RequestEnded) or getattr(event, "ended", False)

    def to_client(self, which: int, size: int) -> None:
        self._to_client += b"".join(self.server.take(1 + which * 1000))
        part, self._to_client = self._to_client[:size], self._to_client[size:]
        # The library heeds an acknowledged frame size only from the next call on.
        step = 9 if self._unacknowledged else 1 << 30
        for start in range(0, len(part), step):
            self._to_client_at_once(bytes(part[start : start + step]))

    def _to_client_at_once(self, part: bytes) -> None:
        for event in self.client.receive_data(part):
            if isinstance(event, h2.events.DataReceived):
                self.calls[event.stream_id].response_seen += event.data
                self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.calls[event.stream_id].response_end_seen = True
            elif isinstance(event, h2.events.StreamReset):
                call = self.calls[event.stream_id]
                assert call.cut or (call.response_end_seen and event.error_code == 0)
                call.request_ended = True
            elif isinstance(event, h2.events.SettingsAcknowledged):
                self._unacknowledged = False
            assert not isinstance(event, h2.events.ConnectionTerminated)

    def settle(self) -> None:
        """Carries everything over, in both directions."""
        self._carry()
        self.initial_window(0, 1 << 20)
        self._carry()

    def _carry(self) -> None:
        for _ in range(50):
            self.to_server(0, 1 << 30)
            self.to_client(1000, 1 << 30)

    def _call(self, which: int) -> Call | None:
        """One of the calls that both sides may still act on, as far as they know."""
        known = [
            call
            for call in self.calls.values()
            if not call.cut and not call.response_end_seen and call.number in self.server._streams.open
        ]
        return known[which % len(known)] if known else None


OPERATIONS = [
    *[Pair.open] * 3,
    *[Pair.send] * 5,
    *[Pair.end] * 2,
    Pair.cancel,
    Pair.ping,
    Pair.initial_window,
    Pair.max_frame,
    *[Pair.message] * 5,
    *[Pair.finish] * 2,
    Pair.reset,
    *[Pair.to_server] * 6,
    *[Pair.to_client] * 6,
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(OPERATIONS),
        st.integers(0, 50),
        st.one_of(st.integers(0, 100), st.integers(0, 100_000)),
    ),
    min_size=10,
    max_size=120,
)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS)
def test_both_sides_see_what_the_other_sent(steps: list[tuple[object, int, int]]) -> None:
    pair = Pair()
    for operation, which, size in [(Pair.open, 0, 3), (Pair.to_server, 0, 1 << 20), *steps]:
        operation(pair, which, size)

    pair.settle()

    for call in pair.calls.values():
        if call.cut:
            assert call.response.startswith(call.response_seen)
            assert call.request.startswith(call.request_seen)
            continue
        assert call.response_seen == call.response
        assert call.response_end_seen == call.response_ended
        if call.response_ended and not call.request_end_seen:
            assert call.request.startswith(call.request_seen)
        else:
            assert call.request_seen == call.request
            assert call.request_end_seen == call.request_ended


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 300_000), min_size=1, max_size=5))
def test_large_bodies_arrive_whole_in_both_directions(sizes: list[int]) -> None:
    pair = Pair()
    for size in sizes:
        pair.open(0, 0)
        pair.settle()
        call = list(pair.calls.values())[-1]
        while len(call.request) < size:
            pair.send(len(pair.calls) - 1, min(16384, size - len(call.request)))
            pair.settle()
        pair.message(len(pair.calls) - 1, size)
    pair.settle()

    assert [len(call.request_seen) for call in pair.calls.values()] == sizes
    assert [len(call.response_seen) for call in pair.calls.values()] == sizes
