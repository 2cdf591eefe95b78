"""The connection preface, and the cutting of octets into frames (RFC 9113 3.4, 4.1, 4.2, 5.5)."""

from __future__ import annotations

import pytest

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import ConnectionFailed, DataReceived, RequestReceived
from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    HEADERS,
    PREFACE,
    PUSH_PROMISE,
    SETTINGS,
    SETTINGS_ACK,
    Client,
    Frame,
    any_of,
    data,
    goaway,
    headers,
    ping,
    settings,
)

PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR


def test_preface_and_empty_settings_begin_a_connection() -> None:
    client = Client(raw=True)
    client.said()

    assert client.send(PREFACE, settings()) == []

    assert client.said() == [SETTINGS_ACK]
    assert not client.core.settled


def test_frames_may_follow_the_preface_at_once() -> None:
    client = Client(raw=True)

    (event,) = client.send(PREFACE, settings(), headers(1, end=True))

    assert isinstance(event, RequestReceived)


def test_preface_may_come_one_octet_at_a_time() -> None:
    client = Client(raw=True)
    octets = PREFACE + settings().octets + SETTINGS_ACK.octets

    assert [client.send(bytes((octet,))) for octet in octets] == [[]] * len(octets)

    assert client.core.settled


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"GET / HTTP/1.1\r\n", id="another protocol"),
        pytest.param(b"X", id="one wrong octet"),
        pytest.param(PREFACE[:-1] + b"X", id="wrong last octet"),
        pytest.param(PREFACE + ping().octets, id="first frame is no SETTINGS"),
        pytest.param(PREFACE + SETTINGS_ACK.octets, id="first frame acknowledges"),
        pytest.param(PREFACE + headers(1).octets, id="first frame is a request"),
    ],
)
def test_wrong_preface_is_a_connection_error(first: bytes) -> None:
    client = Client(raw=True)
    client.said()

    assert client.fault(first) == (PROTOCOL_ERROR, "bad_preface")
    assert client.said() == [goaway(0, PROTOCOL_ERROR, b"bad_preface")]


def test_half_a_preface_is_no_fault() -> None:
    client = Client(raw=True)

    assert client.send(PREFACE[:20]) == []


def test_frame_of_the_announced_size_is_taken() -> None:
    client = Client(Limits(max_frame=20000))
    client.open(1)

    (event,) = client.send(data(1, bytes(20000)))

    assert isinstance(event, DataReceived)


@pytest.mark.parametrize("kind", [DATA, HEADERS, SETTINGS, PUSH_PROMISE, CONTINUATION, 0x77])
def test_frame_above_the_announced_size_is_a_connection_error(kind: int) -> None:
    client = Client(Limits(max_frame=20000))
    client.open(1)

    assert client.fault(Frame(kind, 0, 1, bytes(20001))) == (ErrorCode.FRAME_SIZE_ERROR, "frame_too_large")


def test_frame_that_is_too_large_is_refused_before_its_payload_comes() -> None:
    client = Client(Limits(max_frame=20000))

    assert client.fault(data(1, bytes(20001)).octets[:9]) == (ErrorCode.FRAME_SIZE_ERROR, "frame_too_large")


def test_frames_of_unknown_types_are_ignored() -> None:
    client = Client()

    assert client.send(Frame(0xA, 0xFF, 3, b"origin"), Frame(0xFF, 0, 0, b"")) == []
    assert client.said() == []


def test_frame_of_an_unknown_type_within_a_header_block_is_a_connection_error() -> None:
    client = Client()

    assert client.fault(headers(1, flags=0), Frame(0xA, 0, 1, b"")) == (
        PROTOCOL_ERROR,
        "header_block_interrupted",
    )


def test_reserved_bit_of_a_stream_number_is_ignored() -> None:
    client = Client()

    (event,) = client.send(headers(1)._replace(stream=1 << 31 | 1))

    assert event.stream == 1


def test_flags_that_a_frame_does_not_have_are_ignored() -> None:
    client = Client()
    client.open(1)

    (received,) = client.send(data(1, b"text")._replace(flags=0xF6), ping()._replace(flags=0xFE))

    assert received == DataReceived(1, b"text", False)
    assert client.said() == [ping(ack=True)]


def test_what_comes_after_a_fault_is_ignored() -> None:
    client = Client()

    events = client.send(data(1), headers(1), ping())

    assert [type(event) for event in events] == [ConnectionFailed]
    assert client.send(headers(3)) == client.send(PREFACE) == []
    assert client.said() == [goaway(0, PROTOCOL_ERROR, b"data_before_headers")]


def test_events_before_a_fault_still_come() -> None:
    client = Client()

    events = client.send(headers(1), data(1, b"x"), data(3))

    assert [type(event) for event in events] == [RequestReceived, DataReceived, ConnectionFailed]


def test_frames_cut_anywhere_give_the_same_events() -> None:
    octets = b"".join(
        frame.octets for frame in (headers(1), ping(), data(1, b"message", end=True), headers(3))
    )
    whole = Client().send(octets)

    for cut in range(len(octets)):
        client = Client()
        assert client.send(octets[:cut]) + client.send(octets[cut:]) == whole
    assert len(any_of(RequestReceived, whole)) == 2
