"""Windows for what the client sends: what counts, and what is returned (RFC 9113 5.2, 6.1, 6.9)."""

from __future__ import annotations

import pytest

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import DataReceived, StreamEnded
from gitaly_py.rpc.http2.limits import Limits
from gitaly_py.rpc.http2.replies import RESPONSE
from tests.support.http2 import (
    DEFAULT_WINDOW,
    INITIAL_WINDOW_SIZE,
    PADDED,
    WINDOW_UPDATE,
    Client,
    Frame,
    continuation,
    credit_of,
    data,
    headers,
    padded,
    rst_stream,
    sizes,
    window_update,
)

FLOW_CONTROL_ERROR = ErrorCode.FLOW_CONTROL_ERROR
PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR
SMALL = Limits(stream_window=DEFAULT_WINDOW, connection_window=DEFAULT_WINDOW)
WIDE = Limits(stream_window=DEFAULT_WINDOW, connection_window=1 << 20)


def filled(stream: int, size: int) -> list[Frame]:
    """DATA frames of `size` octets in all."""
    return [data(stream, bytes(min(10000, size - start))) for start in range(0, size, 10000)]


def test_window_of_the_connection_is_enlarged_at_once() -> None:
    client = Client(Limits(connection_window=1 << 20), raw=True)

    assert credit_of(client.said(), 0) == (1 << 20) - DEFAULT_WINDOW


def test_client_may_use_the_whole_window_of_a_stream() -> None:
    client = Client(WIDE)
    client.open(1)

    events = client.send(*filled(1, DEFAULT_WINDOW))

    assert sum(len(event.data) for event in events) == DEFAULT_WINDOW
    assert client.said() == []


def test_data_beyond_the_window_of_a_stream_is_a_stream_error() -> None:
    client = Client(WIDE)
    client.open(1, 3)
    client.send(*filled(1, DEFAULT_WINDOW))

    assert client.send(data(1, b"x")) == [StreamEnded(1, FLOW_CONTROL_ERROR, ours=True)]
    assert client.said() == [rst_stream(1, FLOW_CONTROL_ERROR)]
    assert client.send(data(3, b"x")) == [DataReceived(3, b"x", False)]


def test_data_beyond_the_window_of_the_connection_is_a_connection_error() -> None:
    client = Client(Limits(stream_window=1 << 20, connection_window=DEFAULT_WINDOW))
    client.open(1, 3)
    client.send(*filled(1, 60000))

    assert client.fault(data(3, bytes(5536))) == (FLOW_CONTROL_ERROR, "connection_window_overrun")


def test_empty_data_needs_no_window() -> None:
    client = Client(SMALL)
    client.open(1)
    client.send(*filled(1, DEFAULT_WINDOW))

    assert client.send(data(1), data(1, end=True)) == [DataReceived(1, b"", True)]


def test_octets_that_are_consumed_are_returned_once_they_are_half_a_window() -> None:
    client = Client(WIDE)
    client.open(1)
    client.send(*filled(1, DEFAULT_WINDOW))

    client.core.consumed(1, 32767)
    assert client.said() == []
    client.core.consumed(1, 1)

    assert client.said() == [window_update(1, 32768)]
    client.send(*filled(1, 32768))
    assert client.send(data(1, b"x")) == [StreamEnded(1, FLOW_CONTROL_ERROR, ours=True)]


def test_half_a_window_is_enough_to_be_returned() -> None:
    client = Client(Limits(stream_window=65536, connection_window=65536))
    client.open(1)
    client.send(*filled(1, 40000))

    client.core.consumed(1, 32768)

    assert client.said() == [window_update(0, 32768), window_update(1, 32768)]


def test_window_of_the_connection_is_returned_for_all_streams_together() -> None:
    client = Client(SMALL)
    client.open(1, 3)
    client.send(*filled(1, 20000), *filled(3, 20000))

    client.core.consumed(1, 20000)
    client.core.consumed(3, 20000)

    assert credit_of(client.said(), 0) == 40000


def test_window_of_the_connection_is_returned_for_streams_that_are_over() -> None:
    client = Client(SMALL)
    client.open(1, 3)
    client.send(*filled(1, 20000), rst_stream(1), *filled(3, 20000), data(3, end=True))

    client.core.consumed(1, 20000)
    client.core.consumed(3, 20000)

    assert client.said() == [window_update(0, 40000)]


def test_stream_that_the_client_has_ended_gets_no_window() -> None:
    client = Client(WIDE)
    client.open(1)
    client.send(*filled(1, 40000), data(1, end=True))

    client.core.consumed(1, 40000)

    assert client.said() == []


@pytest.mark.parametrize("padding", [0, 1, 255])
def test_padding_counts_as_data_and_is_returned_at_once(padding: int) -> None:
    client = Client(SMALL)
    client.open(1)
    frame = Frame(0, PADDED, 1, padded(b"x", padding))
    count = 100_000 // len(frame.payload)

    for _ in range(count):
        (event,) = client.send(frame)
        client.core.consumed(1, len(event.data))

    said, sent = client.said(), count * len(frame.payload)
    assert sent - DEFAULT_WINDOW // 2 < credit_of(said, 1) <= sent
    assert sent - DEFAULT_WINDOW // 2 < credit_of(said, 0) <= sent


def test_padding_beyond_the_window_is_beyond_the_window() -> None:
    client = Client(WIDE)
    client.open(1)
    client.send(*filled(1, DEFAULT_WINDOW - 100))

    assert client.send(Frame(0, PADDED, 1, padded(b"", 100))) == [
        StreamEnded(1, FLOW_CONTROL_ERROR, ours=True)
    ]


@pytest.mark.parametrize("payload", [b"\1", b"\2\0", b"\xff" + bytes(254)])
def test_padding_that_leaves_no_room_for_its_length_is_a_connection_error(payload: bytes) -> None:
    client = Client()
    client.open(1)

    assert client.fault(Frame(0, PADDED, 1, payload)) == (PROTOCOL_ERROR, "bad_padding")


def test_padded_frame_without_a_length_of_its_padding_is_a_connection_error() -> None:
    client = Client()
    client.open(1)

    assert client.fault(Frame(0, PADDED, 1, b""))[0] is ErrorCode.FRAME_SIZE_ERROR


def test_data_beyond_the_window_of_a_stream_is_returned_to_the_connection() -> None:
    client = Client(WIDE)
    for number in range(1, 19, 2):
        client.open(number)
        client.send(*filled(number, DEFAULT_WINDOW), data(number, bytes(16384)))
        client.core.consumed(number, DEFAULT_WINDOW)

    sent = 9 * (DEFAULT_WINDOW + 16384)
    assert sent - (1 << 19) < credit_of(client.said(), 0) <= sent
    assert client.core._receiver._credit + client.core._receiver._unreturned == 1 << 20


@pytest.mark.parametrize(
    "way", ["reset by us", "reset by the client", "ended", "refused", "wrong length", "too late"]
)
def test_data_that_nobody_gets_is_returned_to_the_connection(way: str) -> None:
    client = Client(Limits(stream_window=DEFAULT_WINDOW, connection_window=DEFAULT_WINDOW, resets=100))
    client.open(1)
    if way == "reset by us":
        client.core.reset(1, ErrorCode.CANCEL)
    elif way == "reset by the client":
        client.send(rst_stream(1))
    elif way == "ended":
        client.send(data(1, end=True))
    elif way == "refused":
        client.core.send_trailers(1, RESPONSE)
    elif way == "too late":
        client.send(*filled(1, DEFAULT_WINDOW))
        client.core.consumed(0, DEFAULT_WINDOW)
    else:
        client.send(headers(3, [*_request(), ("content-length", "5")]))
    stream = 3 if way == "wrong length" else 1
    client.said()

    client.send(*filled(stream, 60000))

    assert credit_of(client.said(), 0) >= 32768


def _request() -> list[tuple[str, str]]:
    return [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")]


def test_data_of_a_stream_error_is_returned_to_the_connection_once() -> None:
    client = Client(SMALL)
    for number in range(1, 41, 2):
        client.send(headers(number, [*_request(), ("content-length", "5")]), data(number, bytes(6000)))

    assert 20 * 6000 - 32768 < credit_of(client.said(), 0) <= 20 * 6000


def test_window_update_of_nothing_is_an_error_of_its_stream_or_of_the_connection() -> None:
    client = Client()
    client.open(1)

    assert client.send(window_update(1, 0)) == [StreamEnded(1, PROTOCOL_ERROR, ours=True)]
    assert client.fault(window_update(0, 0))[0] is PROTOCOL_ERROR


def test_reserved_bit_of_a_window_update_is_ignored() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 0})
    client.open(1)
    client.core.send_data(1, bytes(10))

    assert client.send(window_update(1, 1 << 31 | 4)) == []

    assert sizes(client.said()) == [(1, 4)]


def test_window_update_within_a_header_block_is_a_connection_error() -> None:
    client = Client()

    assert client.fault(headers(1, flags=0), window_update(0, 1))[0] is PROTOCOL_ERROR


def test_header_blocks_need_no_window() -> None:
    client = Client(SMALL)
    client.open(1)
    client.send(*filled(1, DEFAULT_WINDOW))
    whole = headers(3)

    client.send(
        whole._replace(flags=0, payload=whole.payload[:5]), continuation(3, whole.payload[5:], end=True)
    )

    assert client.core.open_streams == 2
    assert not [frame for frame in client.said() if frame.kind == WINDOW_UPDATE]
