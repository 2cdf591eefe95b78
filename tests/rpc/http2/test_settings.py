"""Settings of both sides, pings, and their acknowledgement (RFC 9113 6.5, 6.7)."""

from __future__ import annotations

import pytest

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import PingAnswered
from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import (
    ACK,
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    PING,
    SETTINGS,
    SETTINGS_ACK,
    Client,
    Frame,
    ping,
    settings,
    sizes,
    window_update,
)

FRAME_SIZE_ERROR = ErrorCode.FRAME_SIZE_ERROR
PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR


def test_limits_are_announced_before_anything_comes() -> None:
    limits = Limits(
        stream_window=70000, connection_window=100_000, max_frame=20000, max_header_list=9999, max_streams=7
    )

    assert Client(limits, raw=True).said() == [
        settings(
            {
                HEADER_TABLE_SIZE: 65536,
                INITIAL_WINDOW_SIZE: 70000,
                MAX_FRAME_SIZE: 20000,
                MAX_HEADER_LIST_SIZE: 9999,
                MAX_CONCURRENT_STREAMS: 7,
            }
        ),
        window_update(0, 100_000 - 65535),
    ]


def test_what_is_without_limit_is_not_announced() -> None:
    (said,) = Client(Limits(connection_window=65535, max_streams=0), raw=True).said()

    announced = {int.from_bytes(said.payload[at : at + 2]) for at in range(0, len(said.payload), 6)}
    assert announced == {HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE}


def test_settings_of_the_client_are_acknowledged() -> None:
    client = Client()

    assert client.send(settings({HEADER_TABLE_SIZE: 0, MAX_CONCURRENT_STREAMS: 0}), settings()) == []

    assert client.said() == [SETTINGS_ACK, SETTINGS_ACK]


def test_acknowledgement_is_noted_and_not_answered() -> None:
    client = Client(raw=True)
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings())
    client.said()
    assert not client.core.settled

    client.send(SETTINGS_ACK)

    assert client.core.settled
    assert client.said() == []


def test_unknown_settings_are_ignored() -> None:
    client = Client()

    assert client.send(settings({0: 1, 8: 1, 0xFFFF: 2**32 - 1})) == []
    assert client.said() == [SETTINGS_ACK]


def test_last_of_several_values_counts() -> None:
    client = Client()
    client.send(settings([(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 7)]))
    client.open(1)

    client.core.send_data(1, bytes(50))

    assert sizes(client.said()) == [(1, 7)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (ENABLE_PUSH, 0),
        (ENABLE_PUSH, 1),
        (INITIAL_WINDOW_SIZE, 2**31 - 1),
        (MAX_FRAME_SIZE, 16384),
        (MAX_FRAME_SIZE, 2**24 - 1),
        (MAX_HEADER_LIST_SIZE, 0),
        (HEADER_TABLE_SIZE, 2**32 - 1),
    ],
)
def test_values_within_their_bounds_are_taken(key: int, value: int) -> None:
    assert Client().send(settings({key: value})) == []


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (ENABLE_PUSH, 2, PROTOCOL_ERROR),
        (INITIAL_WINDOW_SIZE, 2**31, ErrorCode.FLOW_CONTROL_ERROR),
        (MAX_FRAME_SIZE, 16383, PROTOCOL_ERROR),
        (MAX_FRAME_SIZE, 2**24, PROTOCOL_ERROR),
    ],
)
def test_values_out_of_their_bounds_are_a_connection_error(key: int, value: int, code: ErrorCode) -> None:
    assert Client().fault(settings([(key, value)])) == (code, "bad_setting")
    assert Client().fault(settings([(key, value), (key, 16384 if key == MAX_FRAME_SIZE else 0)]))[0] is code


@pytest.mark.parametrize("size", [1, 5, 7, 13])
def test_settings_that_end_within_a_setting_are_a_connection_error(size: int) -> None:
    assert Client().fault(Frame(SETTINGS, 0, 0, bytes(size))) == (FRAME_SIZE_ERROR, "bad_frame_size")


def test_acknowledgement_with_settings_is_a_connection_error() -> None:
    assert Client().fault(Frame(SETTINGS, ACK, 0, bytes(6))) == (FRAME_SIZE_ERROR, "bad_frame_size")


def test_ping_is_answered_with_its_octets() -> None:
    client = Client()

    assert client.send(ping(b"\0octets\xff")) == []

    assert client.said() == [ping(b"\0octets\xff", ack=True)]


def test_ping_of_ours_is_answered_with_an_event() -> None:
    client = Client()

    client.core.ping(b"question")

    assert client.said() == [ping(b"question")]
    assert client.send(ping(b"question", ack=True)) == [PingAnswered(b"question")]
    assert client.said() == []


@pytest.mark.parametrize("flags", [0, ACK])
@pytest.mark.parametrize("size", [0, 7, 9])
def test_ping_of_another_size_is_a_connection_error(size: int, flags: int) -> None:
    assert Client().fault(Frame(PING, flags, 0, bytes(size))) == (FRAME_SIZE_ERROR, "bad_frame_size")


@pytest.mark.parametrize("flags", [0, ACK])
def test_ping_of_a_stream_is_a_connection_error(flags: int) -> None:
    client = Client()
    client.open(1)

    assert client.fault(Frame(PING, flags, 1, bytes(8)))[0] is PROTOCOL_ERROR


@pytest.mark.parametrize("flags", [0, ACK])
def test_settings_of_a_stream_are_a_connection_error(flags: int) -> None:
    client = Client()
    client.open(1)

    assert client.fault(Frame(SETTINGS, flags, 1, b""))[0] is PROTOCOL_ERROR
