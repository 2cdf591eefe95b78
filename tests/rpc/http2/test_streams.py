"""States of streams, and which frames they take (RFC 9113 5.1, 6.1 to 6.4, 8.1)."""

from __future__ import annotations

import pytest

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import (
    DataReceived,
    RequestEnded,
    RequestReceived,
    StreamEnded,
)
from gitaly_py.rpc.http2.limits import Limits
from gitaly_py.rpc.http2.replies import RESPONSE
from gitaly_py.rpc.http2.streams import REMEMBERED_RESETS
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    PRIORITY,
    PUSH_PROMISE,
    REQUEST,
    RST_STREAM,
    WINDOW_UPDATE,
    Client,
    Frame,
    any_of,
    data,
    headers,
    priority,
    resets,
    rst_stream,
    settings,
    window_update,
)

CANCEL = ErrorCode.CANCEL
NO_ERROR = ErrorCode.NO_ERROR
PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR
STREAM_CLOSED = ErrorCode.STREAM_CLOSED
FRAME_SIZE_ERROR = ErrorCode.FRAME_SIZE_ERROR
END = RESPONSE


def test_request_without_a_body_is_one_event() -> None:
    (event,) = Client().send(headers(1, end=True))

    assert event == RequestReceived(1, dict(REQUEST), ended=True)


def test_body_of_a_request_comes_in_parts_up_to_its_end() -> None:
    client = Client()
    client.open(1)

    events = client.send(data(1, b"one"), data(1, b"two", end=True))

    assert events == [DataReceived(1, b"one", False), DataReceived(1, b"two", True)]


def test_empty_data_frame_ends_a_request() -> None:
    client = Client()
    client.open(1)

    assert client.send(data(1, end=True)) == [DataReceived(1, b"", True)]


def test_trailers_end_a_request() -> None:
    client = Client()
    client.open(1)

    assert client.send(headers(1, [("x-checksum", "1")], end=True)) == [RequestEnded(1)]


def test_stream_is_over_when_both_sides_have_ended_it() -> None:
    client = Client()
    client.open(1, end=True)
    assert client.core.open_streams == 1

    client.core.send_trailers(1, END)

    assert client.core.open_streams == 0
    (end,) = client.said()
    assert (end.kind, end.flags & END_STREAM) == (HEADERS, END_STREAM)


def test_reset_by_the_client_is_told_with_its_code() -> None:
    client = Client()
    client.open(1)

    assert client.send(rst_stream(1, 0xDEADBEEF)) == [StreamEnded(1, 0xDEADBEEF, ours=False)]
    assert client.core.open_streams == 0
    assert client.said() == []


def test_nothing_is_sent_on_a_stream_that_the_client_has_reset() -> None:
    client = Client()
    client.open(1)
    client.core.send_headers(1, RESPONSE)
    client.said()
    client.core.send_data(1, b"waiting")
    client.send(rst_stream(1))

    client.core.send_data(1, b"more")
    client.core.send_trailers(1, END)
    client.core.respond(1, RESPONSE, b"message", END)
    client.core.reset(1, CANCEL)

    assert client.said() == []
    assert client.core.queued == 0


def test_reset_of_ours_is_sent_once() -> None:
    client = Client()
    client.open(1)

    client.core.reset(1, CANCEL)
    client.core.reset(1, CANCEL)

    assert client.said() == [rst_stream(1, CANCEL)]


def test_what_comes_on_a_stream_before_the_client_knows_of_its_reset_is_ignored() -> None:
    client = Client()
    client.open(1)
    client.core.reset(1, CANCEL)
    client.said()

    assert client.send(data(1, b"x"), window_update(1, 5), headers(1, end=True), rst_stream(1)) == []
    assert client.said() == []


def test_header_block_on_a_stream_that_we_reset_still_reaches_the_table() -> None:
    from hpack import Encoder

    encoder = Encoder()
    client = Client()
    client.open(1)
    client.core.reset(1, CANCEL)
    client.send(Frame(HEADERS, 0x5, 1, encoder.encode([("x-first", "first")])))

    (event,) = client.send(Frame(HEADERS, 0x5, 3, encoder.encode([*REQUEST, ("x-first", "first")])))

    assert event.fields["x-first"] == "first"


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(data(1), id="DATA"),
        pytest.param(rst_stream(1), id="RST_STREAM"),
        pytest.param(window_update(1, 1), id="WINDOW_UPDATE"),
        pytest.param(Frame(CONTINUATION, 4, 1, b""), id="CONTINUATION"),
        pytest.param(Frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2"), id="PUSH_PROMISE"),
    ],
)
def test_frame_on_an_idle_stream_is_a_connection_error(frame: Frame) -> None:
    assert Client().fault(frame)[0] is PROTOCOL_ERROR


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(data(2), id="DATA"),
        pytest.param(headers(2), id="HEADERS"),
        pytest.param(rst_stream(2), id="RST_STREAM"),
        pytest.param(window_update(2, 1), id="WINDOW_UPDATE"),
    ],
)
def test_frame_on_a_stream_that_only_a_server_could_open_is_a_connection_error(frame: Frame) -> None:
    client = Client()
    client.open(3)

    assert client.fault(frame)[0] is PROTOCOL_ERROR


@pytest.mark.parametrize("kind", [DATA, HEADERS, PRIORITY, RST_STREAM, CONTINUATION])
def test_frame_of_a_stream_without_a_stream_is_a_connection_error(kind: int) -> None:
    size = {PRIORITY: 5, RST_STREAM: 4}.get(kind, 0)

    assert Client().fault(Frame(kind, 0, 0, bytes(size)))[0] is PROTOCOL_ERROR


def test_stream_numbers_may_skip_but_not_go_back() -> None:
    client = Client()
    client.open(1, 9)

    assert client.fault(headers(5))[0] is PROTOCOL_ERROR


def test_request_on_the_last_stream_again_is_a_connection_error() -> None:
    client = Client()
    client.open(1, end=True)
    client.core.send_trailers(1, END)

    assert client.fault(headers(1))[0] is STREAM_CLOSED


def test_streams_below_one_that_is_used_are_closed() -> None:
    client = Client()
    client.open(9)

    assert client.send(data(5, b"x")) == []
    assert client.said() == [rst_stream(5, STREAM_CLOSED)]


@pytest.mark.parametrize("frame", [data(1, b"x"), headers(1, end=True)], ids=["DATA", "HEADERS"])
def test_frame_after_the_end_of_a_request_is_a_stream_error(frame: Frame) -> None:
    client = Client()
    client.open(1, end=True)

    assert client.send(frame) == [StreamEnded(1, STREAM_CLOSED, ours=True)]
    assert resets(client.said()) == [(1, STREAM_CLOSED)]


def test_data_after_the_client_reset_its_stream_is_a_stream_error() -> None:
    client = Client()
    client.open(1)
    client.send(rst_stream(1))

    assert client.send(data(1, b"x"), data(1, b"x")) == []
    assert client.said() == [rst_stream(1, STREAM_CLOSED)]


def test_window_updates_resets_and_priorities_may_come_after_the_end() -> None:
    client = Client()
    client.open(1, end=True)
    client.core.send_trailers(1, END)
    client.said()

    assert client.send(window_update(1, 5), rst_stream(1), priority(1)) == []
    assert client.said() == []


def test_window_update_of_nothing_on_a_closed_stream_is_no_fault() -> None:
    client = Client()
    client.open(1, end=True)
    client.core.send_trailers(1, END)
    client.said()

    assert client.send(window_update(1, 0)) == []
    assert client.said() == []


def test_response_may_end_before_the_request_which_is_then_unwanted() -> None:
    client = Client()
    client.open(1)

    client.core.send_trailers(1, END)

    end, reset = client.said()
    assert (end.kind, end.flags & END_STREAM) == (HEADERS, END_STREAM)
    assert reset == rst_stream(1, NO_ERROR)
    assert client.send(data(1, b"late"), data(1, end=True)) == []
    assert client.said() == []


def test_whole_response_before_the_end_of_the_request_is_followed_by_a_reset() -> None:
    client = Client()
    client.open(1)

    client.core.respond(1, RESPONSE, b"message", END)

    assert [frame.kind for frame in client.said()] == [HEADERS, DATA, HEADERS, RST_STREAM]
    assert client.core.open_streams == 0


def test_reset_comes_behind_a_response_that_had_to_wait_for_its_window() -> None:
    client = Client(settings={4: 4})
    client.open(1)
    client.core.respond(1, RESPONSE, b"message", END)
    assert [frame.kind for frame in client.said()] == [HEADERS, DATA]

    client.send(window_update(1, 10))
    client_sees = client.said() + client.said()

    assert [frame.kind for frame in client_sees] == [DATA, HEADERS, RST_STREAM]


def test_limit_on_streams_refuses_only_what_is_above_it() -> None:
    client = Client(Limits(max_streams=2))
    client.open(1, 3)

    assert client.send(headers(5)) == []
    assert client.said() == [rst_stream(5, ErrorCode.REFUSED_STREAM)]

    client.core.reset(1, CANCEL)
    client.open(7)


def test_data_of_a_refused_stream_is_ignored() -> None:
    client = Client(Limits(max_streams=1))
    client.open(1)

    assert client.send(headers(3), data(3, b"x"), data(3, end=True)) == []
    assert client.said() == [rst_stream(3, ErrorCode.REFUSED_STREAM)]


def test_there_is_no_limit_on_streams_unless_one_is_set() -> None:
    client = Client()

    events = client.send(*(headers(number) for number in range(1, 10001, 2)))

    assert len(any_of(RequestReceived, events)) == client.core.open_streams == 5000


def test_fault_of_one_stream_does_not_touch_the_others() -> None:
    client = Client()
    client.open(1, 3)

    assert client.send(window_update(1, 0), data(3, b"x")) == [
        StreamEnded(1, PROTOCOL_ERROR, ours=True),
        DataReceived(3, b"x", False),
    ]


def test_what_waits_on_a_stream_is_forgotten_with_its_fault() -> None:
    client = Client(settings={4: 0})
    client.open(1)
    client.core.send_data(1, b"waits")

    client.send(window_update(1, 0))

    assert client.core.queued == 0
    assert client.said() == [rst_stream(1, PROTOCOL_ERROR)]


def test_priorities_are_ignored_in_every_state() -> None:
    client = Client()
    client.open(3, end=True)

    assert client.send(priority(1), priority(3), priority(99)) == []
    assert client.said() == []


def test_priority_of_a_wrong_length_is_a_stream_error() -> None:
    client = Client()
    client.open(1)

    assert client.send(Frame(PRIORITY, 0, 1, bytes(4))) == [StreamEnded(1, FRAME_SIZE_ERROR, ours=True)]
    assert client.said() == [rst_stream(1, FRAME_SIZE_ERROR)]


def test_priority_of_a_wrong_length_does_not_reset_an_idle_stream() -> None:
    """RST_STREAM must not be sent for an idle stream (RFC 9113 6.4)."""
    assert Client().fault(Frame(PRIORITY, 0, 1, bytes(4)))[0] is FRAME_SIZE_ERROR


def test_no_stream_is_reset_twice() -> None:
    client = Client()
    client.open(1)

    client.send(Frame(PRIORITY, 0, 1, bytes(4)), Frame(PRIORITY, 0, 1, bytes(4)), data(1, b"x"))

    assert client.said() == [rst_stream(1, FRAME_SIZE_ERROR)]


@pytest.mark.parametrize("size", [0, 3, 5])
@pytest.mark.parametrize("kind", [RST_STREAM, WINDOW_UPDATE])
def test_frame_of_one_number_has_four_octets(kind: int, size: int) -> None:
    client = Client()
    client.open(1)

    assert client.fault(Frame(kind, 0, 1, bytes(size)))[0] is FRAME_SIZE_ERROR


def test_resets_are_remembered_for_a_thousand_streams_at_least() -> None:
    client = Client(Limits(resets=100_000))
    numbers = range(1, 2001, 2)
    for number in numbers:
        client.open(number)
        client.core.reset(number, CANCEL)
    client.said()

    assert client.send(*(data(number, b"x") for number in numbers)) == []
    assert client.said() == []


def test_resets_are_not_remembered_for_ever() -> None:
    client = Client()
    for number in range(1, 3001, 2):
        client.open(number)
        client.core.reset(number, CANCEL)
    client.said()

    client.send(data(1, b"x"))

    assert client.said() == [rst_stream(1, STREAM_CLOSED)]
    assert len(client.core._streams._reset) == REMEMBERED_RESETS


def test_settings_do_not_belong_to_a_stream() -> None:
    assert Client().fault(settings()._replace(stream=1))[0] is PROTOCOL_ERROR
