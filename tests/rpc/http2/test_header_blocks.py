"""Header blocks: frames, compression, and what no request may be (RFC 9113 4.3, 6.2, 6.10, 8.1)."""

from __future__ import annotations

import pytest
from hpack import Encoder

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.events import (
    DataReceived,
    RequestEnded,
    RequestReceived,
    RequestTooLarge,
    StreamEnded,
)
from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    REQUEST,
    WITH_PRIORITY,
    Client,
    Fields,
    Frame,
    block,
    continuation,
    data,
    headers,
    padded,
    ping,
    resets,
    rst_stream,
)

FRAME_SIZE_ERROR = ErrorCode.FRAME_SIZE_ERROR
PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR
BLOCK = block(REQUEST)
TOP = REQUEST[:4]


def with_length(size: str) -> Fields:
    return [*REQUEST, ("content-length", size)]


@pytest.mark.parametrize("cut", [0, 1, 20, len(BLOCK)])
def test_block_may_go_on_in_a_continuation(cut: int) -> None:
    client = Client()

    assert client.send(Frame(HEADERS, END_STREAM, 1, BLOCK[:cut])) == []

    assert client.send(continuation(1, BLOCK[cut:], end=True)) == [
        RequestReceived(1, dict(REQUEST), ended=True)
    ]


def test_block_may_go_on_in_many_continuations() -> None:
    client = Client()

    events = client.send(
        Frame(HEADERS, 0, 1, b""),
        *(continuation(1, BLOCK[at : at + 1]) for at in range(len(BLOCK))),
        continuation(1, b"", end=True),
    )

    assert events == [RequestReceived(1, dict(REQUEST), ended=False)]


def test_trailers_may_go_on_in_a_continuation() -> None:
    client = Client()
    client.open(1)
    trailers = block([("x-checksum", "1")])

    events = client.send(Frame(HEADERS, END_STREAM, 1, trailers[:4]), continuation(1, trailers[4:], end=True))

    assert events == [RequestEnded(1)]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(data(1, b"x"), id="DATA of the stream"),
        pytest.param(headers(3), id="HEADERS of another stream"),
        pytest.param(headers(1), id="HEADERS of the stream"),
        pytest.param(continuation(3, b"", end=True), id="CONTINUATION of another stream"),
        pytest.param(ping(), id="PING"),
        pytest.param(rst_stream(1), id="RST_STREAM of the stream"),
    ],
)
def test_nothing_may_come_in_between_the_frames_of_a_block(frame: Frame) -> None:
    client = Client()

    assert client.fault(headers(1, flags=0), frame) == (PROTOCOL_ERROR, "header_block_interrupted")


def test_continuation_of_nothing_is_a_connection_error() -> None:
    client = Client()
    client.open(1)

    assert client.fault(continuation(1, b"", end=True)) == (PROTOCOL_ERROR, "unexpected_continuation")


def test_continuation_after_the_end_of_its_block_is_a_connection_error() -> None:
    client = Client()
    client.send(headers(1, flags=0), continuation(1, b"", end=True))

    assert client.fault(continuation(1, b"", end=True)) == (PROTOCOL_ERROR, "unexpected_continuation")


@pytest.mark.parametrize("padding", [0, 1, 255])
def test_headers_may_be_padded_and_have_a_priority(padding: int) -> None:
    payload = padded(b"\x80\0\0\3\xff" + BLOCK, padding)

    (event,) = Client().send(Frame(HEADERS, PADDED | WITH_PRIORITY | END_HEADERS, 1, payload))

    assert event == RequestReceived(1, dict(REQUEST), ended=False)


def test_flags_of_a_continuation_that_it_does_not_have_are_ignored() -> None:
    client = Client()
    client.send(Frame(HEADERS, 0, 1, b""))

    (event,) = client.send(Frame(CONTINUATION, 0xFF, 1, BLOCK))

    assert event == RequestReceived(1, dict(REQUEST), ended=False)


def test_padding_longer_than_the_headers_is_a_connection_error() -> None:
    assert Client().fault(Frame(HEADERS, PADDED | END_HEADERS, 1, b"\4\0\0\0")) == (
        PROTOCOL_ERROR,
        "bad_padding",
    )


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(Frame(HEADERS, PADDED | END_HEADERS, 1, b""), id="padding"),
        pytest.param(Frame(HEADERS, WITH_PRIORITY | END_HEADERS, 1, bytes(4)), id="priority"),
        pytest.param(Frame(HEADERS, PADDED | WITH_PRIORITY | END_HEADERS, 1, bytes(5)), id="both"),
    ],
)
def test_headers_too_short_for_what_their_flags_say_are_a_connection_error(frame: Frame) -> None:
    assert Client().fault(frame) == (FRAME_SIZE_ERROR, "bad_frame_size")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(b"\x80", id="index 0"),
        pytest.param(b"\xff\xff\x03", id="index beyond the table"),
        pytest.param(b"\x40\x05name", id="string beyond the end"),
        pytest.param(b"\x40\x81\xff\x00", id="wrong Huffman code"),
        pytest.param(b"\x82\x20", id="table size behind a field"),
        pytest.param(b"\x3f\xe2\xff\x03\x82", id="table larger than announced"),
        pytest.param(b"\xff\xff\xff\xff\xff\xff\xff\xff", id="endless number"),
    ],
)
def test_block_that_can_not_be_decoded_is_a_connection_error(wrong: bytes) -> None:
    frame = Frame(HEADERS, END_HEADERS, 1, wrong)

    assert Client().fault(frame) == (ErrorCode.COMPRESSION_ERROR, "bad_header_block")


@pytest.mark.parametrize("stream", [1, 3], ids=["reset", "half closed"])
def test_block_that_nobody_wants_must_be_sound_too(stream: int) -> None:
    client = Client()
    client.open(1)
    client.open(3, end=True)
    client.core.reset(1, ErrorCode.CANCEL)

    assert client.fault(Frame(HEADERS, END_HEADERS, stream, b"\x80"))[0] is ErrorCode.COMPRESSION_ERROR


def test_fields_of_refused_requests_stay_in_the_table() -> None:
    encoder = Encoder()
    client = Client(Limits(max_streams=1, max_header_list=500))
    client.open(1)
    large = [*REQUEST, ("x-large", "x" * 600)]
    client.send(Frame(HEADERS, END_HEADERS, 3, encoder.encode([*REQUEST, ("x-first", "1")])))
    client.core.reset(1, ErrorCode.CANCEL)

    assert client.send(Frame(HEADERS, END_HEADERS, 5, encoder.encode(large))) == [
        RequestTooLarge(5, ended=False)
    ]
    client.core.reset(5, ErrorCode.CANCEL)
    (event,) = client.send(Frame(HEADERS, END_HEADERS, 7, encoder.encode([*REQUEST, ("x-first", "1")])))

    assert event == RequestReceived(7, {**dict(REQUEST), "x-first": "1"}, ended=False)


def test_list_above_the_limit_is_told_without_its_fields() -> None:
    client = Client(Limits(max_header_list=500))

    (event,) = client.send(headers(1, [*REQUEST, ("x-large", "x" * 300)], end=True))

    assert event == RequestTooLarge(1, ended=True)
    client.core.send_trailers(1, b"\x88")
    assert client.core.open_streams == 0


def test_body_of_a_request_above_the_limit_still_comes() -> None:
    client = Client(Limits(max_header_list=500))
    client.send(headers(1, [*REQUEST, ("x-large", "x" * 300)]))

    assert client.send(data(1, b"x", end=True)) == [DataReceived(1, b"x", True)]


def test_trailers_above_the_limit_still_end_the_request() -> None:
    client = Client(Limits(max_header_list=500))
    client.open(1)

    assert client.send(headers(1, [("x-large", "x" * 600)], end=True)) == [RequestEnded(1)]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([*TOP, ("X-Upper", "x")], id="upper case name"),
        pytest.param([*TOP, ("x", "a\nb")], id="line end in a value"),
        pytest.param([*TOP, ("connection", "close")], id="connection field"),
        pytest.param([*TOP, ("te", "gzip")], id="te"),
        pytest.param([*TOP, (":status", "200")], id="pseudo-header of a response"),
        pytest.param([*TOP, (":x-bin", "YQ")], id="unknown pseudo-header"),
        pytest.param(TOP[1:], id="no method"),
        pytest.param([TOP[0], *TOP[2:]], id="no scheme"),
        pytest.param([*TOP[:2], TOP[3]], id="no path"),
        pytest.param([*TOP[:2], (":path", "")], id="empty path"),
        pytest.param([*TOP, TOP[0]], id="method twice"),
        pytest.param([("x", "1"), *TOP], id="pseudo-headers behind a field"),
        pytest.param([], id="nothing"),
        pytest.param(with_length("x"), id="content-length that is no number"),
        pytest.param([*with_length("1"), ("content-length", "2")], id="two content-lengths"),
    ],
)
def test_malformed_request_is_a_stream_error(fields: Fields) -> None:
    client = Client()

    assert client.send(headers(1, fields)) == []

    assert client.said() == [rst_stream(1, PROTOCOL_ERROR)]
    client.open(3)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(headers(1, [("x", "1")]), id="which do not end the stream"),
        pytest.param(headers(1, REQUEST, end=True), id="with pseudo-headers"),
        pytest.param(headers(1, [("X", "1")], end=True), id="with a malformed field"),
    ],
)
def test_malformed_trailers_are_a_stream_error(frame: Frame) -> None:
    client = Client()
    client.open(1)

    assert client.send(frame) == [StreamEnded(1, PROTOCOL_ERROR, ours=True)]
    assert client.said() == [rst_stream(1, PROTOCOL_ERROR)]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([headers(1, with_length("4")), data(1, b"four", end=True)], id="at once"),
        pytest.param(
            [headers(1, with_length("4")), data(1, b"fo"), data(1, b"ur"), data(1, end=True)], id="in parts"
        ),
        pytest.param(
            [headers(1, with_length("4")), data(1, b"four"), headers(1, [("x", "1")], end=True)],
            id="trailers",
        ),
        pytest.param([headers(1, with_length("0"), end=True)], id="nothing"),
        pytest.param(
            [headers(1, with_length("4")), Frame(0, 9, 1, padded(b"four", 3))], id="padding not counted"
        ),
    ],
)
def test_body_of_the_announced_length_is_taken(frames: list[Frame]) -> None:
    client = Client()

    events = client.send(*frames)

    assert events[-1] == RequestEnded(1) or events[-1].ended
    assert client.said() == []


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([headers(1, with_length("4"), end=True)], id="nothing"),
        pytest.param([headers(1, with_length("4")), data(1, b"for", end=True)], id="less"),
        pytest.param([headers(1, with_length("4")), data(1, b"fours")], id="more"),
        pytest.param(
            [headers(1, with_length("4")), data(1, b"four"), data(1, b"s", end=True)], id="more at the end"
        ),
        pytest.param(
            [headers(1, with_length("4")), data(1, b"for"), headers(1, [("x", "1")], end=True)], id="trailers"
        ),
    ],
)
def test_body_of_another_length_than_announced_is_a_stream_error(frames: list[Frame]) -> None:
    client = Client()

    client.send(*frames)

    assert resets(client.said()) == [(1, PROTOCOL_ERROR)]
    assert client.core.open_streams == 0
