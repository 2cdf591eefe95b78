"""How a connection ends: in two steps, or at once (RFC 9113 5.4.1, 6.8)."""

from __future__ import annotations

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import ConnectionFailed, DataReceived, StreamEnded
from gitaly_py.rpc.http2.limits import Limits
from gitaly_py.rpc.http2.replies import RESPONSE
from tests.support.http2 import (
    DEFAULT_WINDOW,
    GOAWAY,
    MAX_WINDOW,
    Client,
    Frame,
    credit_of,
    data,
    goaway,
    headers,
    ping,
    rst_stream,
    window_update,
)

ENHANCE_YOUR_CALM = ErrorCode.ENHANCE_YOUR_CALM
PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR


def last_streams(frames: list[Frame]) -> list[int]:
    return [int.from_bytes(frame.payload[:4]) for frame in frames if frame.kind == GOAWAY]


def test_warning_of_the_end_still_lets_streams_open() -> None:
    client = Client()

    client.core.warn_of_end()

    assert client.said() == [goaway(MAX_WINDOW)]
    assert not client.core.ended_gracefully
    client.open(1)


def test_graceful_end_names_the_last_stream_and_serves_those_that_are_open() -> None:
    client = Client()
    client.open(1, 3)
    client.core.warn_of_end()
    client.said()

    client.core.end_gracefully()

    assert client.said() == [goaway(3)]
    assert client.core.ended_gracefully
    assert client.send(data(1, b"x")) == [DataReceived(1, b"x", False)]
    client.core.respond(3, RESPONSE, b"message", RESPONSE)
    assert client.core.open_streams == 1


def test_streams_opened_after_the_graceful_end_are_ignored() -> None:
    client = Client()
    client.open(1)
    client.core.end_gracefully()
    client.said()

    late = headers(3), data(3, b"x"), window_update(3, 1), rst_stream(3), data(3, end=True)

    assert client.send(*late) == []
    assert client.said() == []
    assert client.core.open_streams == 1


def test_data_of_ignored_streams_is_returned_to_the_window_of_the_connection() -> None:
    client = Client(Limits(connection_window=DEFAULT_WINDOW))
    client.core.end_gracefully()
    client.send(headers(1), *(data(1, bytes(10000)) for _ in range(6)))

    assert credit_of(client.said(), 0) >= DEFAULT_WINDOW // 2


def test_many_ignored_streams_are_no_fault_of_the_client() -> None:
    client = Client(Limits(resets=5))
    client.core.end_gracefully()

    assert (
        client.send(*(each for number in range(1, 41, 2) for each in (headers(number), data(number)))) == []
    )


def test_graceful_end_is_said_once() -> None:
    client = Client()
    client.core.end_gracefully()
    client.core.end_gracefully()

    assert client.said() == [goaway(0)]


def test_graceful_end_is_known_even_after_the_last_stream_there_can_be() -> None:
    client = Client()
    client.open(MAX_WINDOW)

    client.core.end_gracefully()

    assert client.core.ended_gracefully


def test_last_stream_of_a_later_goaway_is_never_higher() -> None:
    client = Client()
    client.open(1)
    client.core.end_gracefully()
    client.core.warn_of_end()

    client.send(headers(3), headers(4))

    assert last_streams(client.said()) == [1, 1]


def test_fault_names_the_last_stream_and_the_reason() -> None:
    client = Client()
    client.open(5)

    assert client.send(data(0)) == [ConnectionFailed(PROTOCOL_ERROR, "data_before_headers")]
    assert client.said() == [goaway(5, PROTOCOL_ERROR, b"data_before_headers")]


def test_answers_to_what_came_before_a_fault_are_still_sent() -> None:
    client = Client()

    client.send(ping(), data(1))

    assert client.said() == [ping(ack=True), goaway(0, PROTOCOL_ERROR, b"data_before_headers")]


def test_nothing_is_sent_after_the_goaway_of_a_fault() -> None:
    client = Client()
    client.open(1, 3)
    client.send(data(1, bytes(1 << 19)[:60000]))
    client.core.send_data(3, b"waits")
    client.send(data(0))

    client.core.consumed(1, 60000)
    client.core.consumed(0, 16 << 20)
    client.core.send_headers(1, RESPONSE)
    client.core.respond(3, RESPONSE, b"message", RESPONSE)
    client.core.reset(1, ErrorCode.CANCEL)
    client.core.ping(b"are you?")
    client.core.warn_of_end()
    client.core.end_gracefully()

    assert [frame.kind for frame in client.said()] == [GOAWAY]
    assert (client.core.open_streams, client.core.queued, client.core.pending) == (0, 0, False)


def test_driver_may_end_a_connection_once_with_a_reason_of_its_own() -> None:
    client = Client()
    client.open(1)

    assert client.core.fail(ENHANCE_YOUR_CALM, "too_slow") == [
        ConnectionFailed(ENHANCE_YOUR_CALM, "too_slow")
    ]
    assert client.core.fail(ENHANCE_YOUR_CALM, "too_slow") == []

    assert client.said() == [goaway(1, ENHANCE_YOUR_CALM, b"too_slow")]
    assert client.send(headers(3)) == []


def test_goaway_of_the_client_ends_nothing() -> None:
    client = Client()
    client.open(1)

    assert client.send(goaway(0, ErrorCode.NO_ERROR, b"bye"), rst_stream(1, 8)) == [
        StreamEnded(1, 8, ours=False)
    ]


def test_goaway_must_be_whole_and_of_the_connection() -> None:
    assert Client().fault(Frame(GOAWAY, 0, 0, bytes(7)))[0] is ErrorCode.FRAME_SIZE_ERROR
    assert Client().fault(Frame(GOAWAY, 0, 1, bytes(8)))[0] is PROTOCOL_ERROR
