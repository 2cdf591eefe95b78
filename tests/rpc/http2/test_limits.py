"""Each limit on what one client may do, and that it ends with the right error (limits.py)."""

from __future__ import annotations

import pytest

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import ConnectionFailed, Event
from gitaly_py.rpc.http2.limits import MAX_UNSENT_ANSWERS, Limits
from gitaly_py.rpc.http2.replies import RESPONSE
from tests.support.http2 import (
    HEADERS,
    PING,
    Client,
    Frame,
    block,
    continuation,
    data,
    headers,
    ping,
    priority,
    rst_stream,
    settings,
    window_update,
)

CALM = ErrorCode.ENHANCE_YOUR_CALM


def fault_of(events: list[Event]) -> str:
    """The reason for which the connection is over, empty when it goes on."""
    return next(
        (each.reason for each in events if isinstance(each, ConnectionFailed) and each.code is CALM), ""
    )


def opened_and_reset(count: int, first: int = 1) -> list[Frame]:
    numbers = range(first, first + 2 * count, 2)
    return [frame for number in numbers for frame in (headers(number), rst_stream(number))]


def test_rapid_resets_end_the_connection() -> None:
    client = Client(Limits(resets=10))

    assert fault_of(client.send(*opened_and_reset(10))) == ""
    assert fault_of(client.send(*opened_and_reset(1, first=21))) == "too_many_resets"


def test_resets_of_another_second_do_not_count() -> None:
    client = Client(Limits(resets=10))
    client.send(*opened_and_reset(10))

    client.now += 1

    assert fault_of(client.send(*opened_and_reset(10, first=21))) == ""


def test_what_a_client_did_in_seconds_may_be_read_at_once() -> None:
    client = Client(Limits(resets=10))
    client.send(*opened_and_reset(10))

    client.now += 3

    assert fault_of(client.send(*opened_and_reset(30, first=21))) == ""
    assert fault_of(client.send(*opened_and_reset(1, first=81))) == "too_many_resets"


def test_a_client_that_was_quiet_for_long_has_saved_up_five_seconds() -> None:
    client = Client(Limits(resets=10))

    client.now += 3600

    assert fault_of(client.send(*opened_and_reset(50))) == ""
    assert fault_of(client.send(*opened_and_reset(1, first=101))) == "too_many_resets"


def test_resets_of_streams_that_are_a_second_old_do_not_count() -> None:
    client = Client(Limits(resets=10))
    numbers = range(1, 61, 2)
    client.send(*(headers(number) for number in numbers))

    client.now += 1

    assert fault_of(client.send(*(rst_stream(number) for number in numbers))) == ""


def test_faults_that_make_us_reset_count_as_resets() -> None:
    client = Client(Limits(resets=3))
    client.open(1, 3, 5, 7)

    assert fault_of(client.send(*(window_update(number, 0) for number in (1, 3, 5)))) == ""
    assert fault_of(client.send(window_update(7, 0))) == "too_many_resets"


def test_refused_streams_count_as_resets() -> None:
    client = Client(Limits(resets=3, max_streams=1))
    client.open(1)

    assert fault_of(client.send(*(headers(number) for number in (3, 5, 7)))) == ""
    assert fault_of(client.send(headers(9))) == "too_many_resets"


def test_reset_of_a_stream_that_is_already_over_is_no_rapid_reset() -> None:
    """Clients say it of calls that were answered before the end of their request."""
    client = Client(Limits(resets=3))

    for number in range(1, 41, 2):
        client.open(number)
        client.core.send_trailers(number, RESPONSE)
        assert client.send(rst_stream(number, ErrorCode.NO_ERROR)) == []


def test_what_clients_say_of_calls_that_are_over_is_no_fault() -> None:
    """Some return the window only when a message is read, or end a request after its response."""
    client = Client(Limits(empty_frames=3, resets=3))

    for number in range(1, 41, 2):
        client.open(number, end=number % 4 == 1)
        client.core.respond(number, RESPONSE, b"message", RESPONSE)
        last = [] if number % 4 == 1 else [data(number, end=True), rst_stream(number, ErrorCode.NO_ERROR)]
        assert client.send(window_update(number, 16384), *last) == []


def test_settings_frames_are_counted() -> None:
    client = Client(Limits(settings=10))  # which has sent its own and acknowledged ours

    assert fault_of(client.send(*[settings()] * 8)) == ""
    assert fault_of(client.send(settings())) == "too_many_settings"


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param(data(1), id="empty DATA"),
        pytest.param(data(1, b"\3\0\0\0")._replace(flags=8), id="DATA of padding alone"),
        pytest.param(data(5), id="empty DATA of a stream that was reset"),
        pytest.param(priority(1), id="PRIORITY"),
        pytest.param(ping(ack=True), id="PING acknowledgements"),
        pytest.param(Frame(0x42, 0, 0, b"text"), id="unknown types"),
        pytest.param(rst_stream(7), id="RST_STREAM of a closed stream"),
        pytest.param(Frame(7, 0, 0, bytes(8)), id="GOAWAY"),
    ],
)
def test_frames_that_bring_nothing_are_counted(nothing: Frame) -> None:
    client = Client(Limits(empty_frames=10))
    client.open(1, 5)
    client.open(7, end=True)
    client.core.respond(7, RESPONSE, b"", RESPONSE)
    client.core.reset(5, ErrorCode.CANCEL)

    assert fault_of(client.send(*[nothing] * 10)) == ""
    client.now += 1
    assert fault_of(client.send(*[nothing] * 10)) == ""
    assert fault_of(client.send(nothing)) == "too_many_empty_frames"


def test_continuations_that_bring_nothing_are_counted() -> None:
    client = Client(Limits(empty_frames=10))
    client.send(headers(1, flags=0))

    assert fault_of(client.send(*[continuation(1, b"")] * 10)) == ""
    assert fault_of(client.send(continuation(1, b""))) == "too_many_empty_frames"


def test_parts_of_a_header_block_are_counted() -> None:
    client = Client(Limits(max_continuations=10))
    client.send(headers(1, flags=0))

    assert fault_of(client.send(*[continuation(1, b"\x82")] * 9)) == ""
    assert fault_of(client.send(continuation(1, b"\x82"))) == "header_block_too_large"


def test_fields_of_a_header_block_are_limited_while_it_is_decoded() -> None:
    """A field can be one octet, and nothing else runs while a block of millions is decoded."""
    client = Client(Limits(max_header_list=100_000))

    assert fault_of(client.send(Frame(HEADERS, 4, 1, b"\x82" * 1024))) == ""
    assert fault_of(client.send(Frame(HEADERS, 4, 3, b"\x82" * 1025))) == "header_block_too_large"


def test_parts_of_a_header_block_are_forgotten_with_its_end() -> None:
    client = Client()

    client.send(headers(1, flags=0), continuation(1, b""), continuation(1, b"", end=True))

    assert client.core._receiver._blocks._parts == []


def test_octets_of_a_header_block_are_limited_before_it_is_decoded() -> None:
    client = Client(Limits(max_header_list=30000))

    assert fault_of(client.send(headers(1, flags=0), continuation(1, bytes(20000)))) == ""
    assert fault_of(client.send(continuation(1, bytes(10000)))) == "header_block_too_large"


def test_pings_may_come_at_the_least_interval_for_ever() -> None:
    client = Client(Limits(ping_interval=10.0, ping_strikes=2))

    for _ in range(50):
        assert client.send(ping()) == []
        client.now += 10


def test_more_early_pings_than_strikes_end_the_connection() -> None:
    client = Client(Limits(ping_interval=10.0, ping_strikes=2))

    assert client.send(ping()) == client.send(ping()) == client.send(ping()) == []
    assert client.fault(ping()) == (CALM, "too_many_pings")


def test_answer_forgives_earlier_strikes() -> None:
    client = Client(Limits(ping_strikes=2))
    client.open(1)
    client.send(ping(), ping(), ping())

    client.core.send_data(1, b"x")
    client.said()

    assert client.send(ping(), ping(), ping()) == []
    assert client.fault(ping()) == (CALM, "too_many_pings")


def test_ping_after_each_piece_of_a_response_is_fine() -> None:
    client = Client(Limits(ping_strikes=2))
    client.open(1)

    for _ in range(50):
        client.core.send_data(1, b"x")
        client.said()
        assert client.send(ping()) == []


def test_ping_after_each_frame_of_one_large_message_is_fine() -> None:
    """Clients measure the way with a ping for each piece they get, however many are one message."""
    client = Client(Limits(ping_strikes=2))
    client.open(1)
    client.core.send_headers(1, RESPONSE)
    client.core.send_data(1, bytes(1 << 20))

    for _ in range(50):
        assert client.said(1)
        assert client.send(window_update(0, 16384), window_update(1, 16384), ping()) == []


def test_pings_are_not_counted_without_a_number_of_strikes() -> None:
    client = Client(Limits(ping_strikes=0))

    assert client.send(*[ping()] * 1000) == []
    assert [frame.kind for frame in client.said()] == [PING] * 1000


def test_answers_that_the_client_never_reads_end_the_connection() -> None:
    client = Client(Limits(ping_strikes=0))

    assert client.send(*[ping()] * MAX_UNSENT_ANSWERS) == []
    assert client.fault(ping()) == (CALM, "answers_not_read")


def test_answers_that_the_client_reads_are_without_limit() -> None:
    client = Client(Limits(ping_strikes=0))

    for _ in range(3):
        assert client.send(*[ping()] * MAX_UNSENT_ANSWERS) == []
        client.said()


def test_many_settings_in_one_frame_cost_no_more_than_one() -> None:
    """Else each would be a walk over every stream."""
    client = Client()
    client.send(*(headers(number) for number in range(1, 2001, 2)))
    seen: list[int] = []
    resize = client.core._sender.resize
    client.core._sender.resize = lambda value, streams: (seen.append(value), resize(value, streams))

    assert client.send(settings([(4, 100 + number) for number in range(10000)])) == []

    assert seen == [10099]


def test_responses_that_wait_are_octets_that_wait() -> None:
    """Whoever asks and never reads would else have us keep responses without end."""
    client = Client()
    for number in range(1, 200, 2):
        client.open(number, end=True)
        client.core.respond(number, RESPONSE, bytes(100), RESPONSE)
    client.open(201, 203, end=True)
    client.core.send_trailers(201, block([("x-text", "x" * 1000)]))
    client.core.send_headers(203, block([("x-text", "x" * 1000)]))

    assert client.core.queued > 100 * 100 + 2 * 600

    client.said()
    assert client.core.queued == 0


def test_streams_that_ended_are_forgotten_though_the_window_stays_shut() -> None:
    client = Client(Limits(resets=10_000))
    client.open(1)
    client.core.send_data(1, bytes(65535 + 1))
    client.said()

    for number in range(3, 2003, 2):
        client.open(number)
        client.core.send_data(number, b"waits for the window")
        client.send(rst_stream(number))

    assert len(client.core._sender._ready) <= 1
