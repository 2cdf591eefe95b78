"""Windows that the client gives to responses, and how it changes them (RFC 9113 5.2, 6.9.1, 6.9.2)."""

from __future__ import annotations

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import StreamEnded
from gitaly_py.rpc.http2.replies import RESPONSE
from tests.support.http2 import (
    DEFAULT_WINDOW,
    INITIAL_WINDOW_SIZE,
    MAX_WINDOW,
    Client,
    rst_stream,
    settings,
    sizes,
    window_update,
)

FLOW_CONTROL_ERROR = ErrorCode.FLOW_CONTROL_ERROR


def test_response_stops_where_the_window_of_its_stream_ends() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 100})
    client.open(1)
    client.core.send_data(1, bytes(1000))
    assert sizes(client.said()) == [(1, 100)]
    assert not client.core.pending

    client.send(window_update(1, 50))
    assert sizes(client.said()) == [(1, 50)]
    client.send(window_update(0, 50))
    assert client.said() == []


def test_responses_stop_where_the_window_of_the_connection_ends() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 1 << 20})
    client.open(1, 3)
    client.core.send_data(1, bytes(40000))
    client.core.send_data(3, bytes(40000))
    assert sum(size for _, size in sizes(client.said())) == DEFAULT_WINDOW

    client.send(window_update(0, 100_000))

    assert sum(size for _, size in sizes(client.said())) == 80000 - DEFAULT_WINDOW


def test_whole_response_waits_for_the_windows_like_any() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 6})
    client.open(1, 3, end=True)
    client.core.respond(1, RESPONSE, b"1234567", RESPONSE)
    client.core.respond(3, RESPONSE, b"123456", RESPONSE)

    assert sizes(client.said()) == [(3, 6), (1, 6)]
    assert client.core.open_streams == 1


def test_whole_response_takes_from_both_windows() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 1 << 20})
    for number in range(1, 21, 2):
        client.open(number, end=True)
        client.core.respond(number, RESPONSE, bytes(10_000), RESPONSE)

    assert sum(size for _, size in sizes(client.said())) == DEFAULT_WINDOW


def test_smaller_initial_window_makes_windows_negative() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 100})
    client.open(1)
    client.core.send_data(1, bytes(1000))
    assert sizes(client.said()) == [(1, 100)]

    client.send(settings({INITIAL_WINDOW_SIZE: 30}), window_update(1, 70))
    assert sizes(client.said()) == []
    client.send(window_update(1, 5))

    assert sizes(client.said()) == [(1, 5)]


def test_window_that_turns_negative_holds_back_what_was_ready() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 100})
    client.open(1)
    client.core.send_data(1, bytes(50))

    client.send(settings({INITIAL_WINDOW_SIZE: 0}))
    assert sizes(client.said()) == []
    client.send(settings({INITIAL_WINDOW_SIZE: 10}))

    assert sizes(client.said()) == [(1, 10)]


def test_window_below_zero_holds_back_what_was_ready() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 100})
    client.open(1)
    client.core.send_data(1, bytes(60))
    assert sizes(client.said()) == [(1, 60)]
    client.core.send_data(1, bytes(30))

    client.send(settings({INITIAL_WINDOW_SIZE: 30}))
    assert sizes(client.said()) == []
    client.send(window_update(1, 40))

    assert sizes(client.said()) == [(1, 10)]
    assert client.core.queued == 20


def test_larger_initial_window_lets_waiting_streams_go_on() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 0})
    client.open(1, 3)
    client.core.send_data(1, bytes(50))
    client.core.send_data(3, bytes(50))
    assert client.said() == []

    client.send(settings({INITIAL_WINDOW_SIZE: 20}))

    assert sizes(client.said()) == [(1, 20), (3, 20)]


def test_initial_window_is_of_streams_and_not_of_the_connection() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 1 << 20})
    client.open(1)
    client.core.send_data(1, bytes(1 << 20))

    assert sum(size for _, size in sizes(client.said())) == DEFAULT_WINDOW


def test_streams_begin_with_the_window_of_their_time() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 10})
    client.send(settings({INITIAL_WINDOW_SIZE: 3}))
    client.open(1)
    client.core.send_data(1, bytes(10))

    assert sizes(client.said()) == [(1, 3)]


def test_window_of_a_stream_may_be_as_large_as_a_window_can_be_and_no_larger() -> None:
    client = Client()
    client.open(1, 3)

    assert client.send(window_update(1, MAX_WINDOW - DEFAULT_WINDOW)) == []
    assert client.send(window_update(1, 1)) == [StreamEnded(1, FLOW_CONTROL_ERROR, ours=True)]
    assert client.said() == [rst_stream(1, FLOW_CONTROL_ERROR)]


def test_window_of_the_connection_may_be_as_large_as_a_window_can_be_and_no_larger() -> None:
    client = Client()

    assert client.send(window_update(0, MAX_WINDOW - DEFAULT_WINDOW)) == []
    assert client.fault(window_update(0, 1)) == (FLOW_CONTROL_ERROR, "window_overflow")


def test_initial_window_that_makes_a_window_too_large_is_a_connection_error() -> None:
    client = Client()
    client.open(1)
    client.send(window_update(1, MAX_WINDOW - DEFAULT_WINDOW))

    assert client.fault(settings({INITIAL_WINDOW_SIZE: DEFAULT_WINDOW + 1})) == (
        FLOW_CONTROL_ERROR,
        "window_overflow",
    )
