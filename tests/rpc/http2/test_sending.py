"""What is sent when: streams in turn, frames no larger than the client takes (RFC 9113 4.2, 5.2, 6.10)."""

from __future__ import annotations

from hpack import Decoder

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.replies import RESPONSE
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    SETTINGS_ACK,
    Client,
    Frame,
    block,
    data,
    fields_of,
    headers,
    ping,
    rst_stream,
    settings,
    sizes,
    window_update,
)

WIDE = {INITIAL_WINDOW_SIZE: 1 << 24}
TRAILERS = block([("grpc-status", "0")])
LARGE_BLOCK = block([("x-large", "x" * 60000)], huffman=False)


def wide_client(*, max_frame_size: int = 16384) -> Client:
    client = Client(settings=WIDE | {MAX_FRAME_SIZE: max_frame_size})
    client.send(window_update(0, 1 << 24))
    return client


def test_response_is_headers_message_trailers() -> None:
    client = Client()
    client.open(1, end=True)

    client.core.respond(1, RESPONSE, b"message", TRAILERS)

    first, message, last = client.said()
    assert (first.kind, first.flags) == (HEADERS, END_HEADERS)
    assert fields_of(first.payload) == [(":status", "200"), ("content-type", "application/grpc")]
    assert message == data(1, b"message")
    assert (last.kind, last.flags) == (HEADERS, END_HEADERS | END_STREAM)


def test_response_in_pieces_ends_with_its_trailers() -> None:
    client = Client()
    client.open(1, end=True)

    client.core.send_headers(1, RESPONSE)
    client.core.send_data(1, b"prefix", b"message")
    client.core.send_data(1, b"another")
    client.core.send_trailers(1, TRAILERS)

    first, *body, last = client.said()
    assert (first.kind, last.kind, last.flags) == (HEADERS, HEADERS, END_HEADERS | END_STREAM)
    assert b"".join(frame.payload for frame in body) == b"prefixmessageanother"
    assert not any(frame.flags for frame in body)


def test_trailers_wait_for_the_messages_in_front_of_them() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 3})
    client.open(1, end=True)
    client.core.respond(1, RESPONSE, b"message", TRAILERS)
    assert [frame.kind for frame in client.said()] == [HEADERS, DATA]

    client.send(window_update(1, 3))
    assert client.said() == [data(1, b"sag")]
    client.send(window_update(1, 3))
    assert [frame.kind for frame in client.said()] == [DATA, HEADERS]
    assert client.core.open_streams == 0


def test_trailers_need_no_window() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 0})
    client.open(1, end=True)

    client.core.send_trailers(1, TRAILERS)

    assert [frame.kind for frame in client.said()] == [HEADERS]


def test_streams_send_a_frame_each_in_turn() -> None:
    client = wide_client()
    client.open(1, 3, 5)
    for number in (1, 3, 5):
        client.core.send_data(number, bytes(40000))

    assert sizes(client.said()) == [
        *((number, 16384) for number in (1, 3, 5)),
        *((number, 16384) for number in (1, 3, 5)),
        *((number, 40000 - 2 * 16384) for number in (1, 3, 5)),
    ]


def test_stream_that_joins_waits_for_one_frame_of_each_other() -> None:
    client = wide_client()
    client.open(1, 3)
    client.core.send_data(1, bytes(1 << 20))
    assert sizes(client.said(1)) == [(1, 16384)]

    client.core.send_data(3, b"small")

    assert sizes(client.said(2 * 16384))[:2] == [(1, 16384), (3, 5)]


def test_stalled_stream_delays_no_other() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 10})
    client.open(1, 3)
    client.core.send_data(1, bytes(1 << 20))
    assert sizes(client.said()) == [(1, 10)]

    client.core.send_data(3, b"swift")

    assert sizes(client.said()) == [(3, 5)]
    assert client.core.queued_on(1) == (1 << 20) - 10


def test_whole_response_passes_streams_that_wait_for_their_windows() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 10})
    client.open(1, 3)
    client.core.send_data(1, bytes(100))
    client.said()

    client.core.respond(3, RESPONSE, b"swift", TRAILERS)

    assert sizes(client.said()) == [(3, 5)]


def test_control_frames_pass_messages() -> None:
    client = Client()
    client.open(1)
    client.core.send_data(1, b"message")

    client.send(ping())

    assert client.said() == [ping(ack=True), data(1, b"message")]


def test_frames_are_as_large_as_the_client_takes() -> None:
    client = Client(settings=WIDE)
    client.open(1)
    client.core.send_data(1, bytes(60000))
    assert sizes(client.said(1)) == [(1, 16384)]

    client.send(settings({MAX_FRAME_SIZE: 20000}))
    assert [frame for frame in client.said(1) if frame.kind != DATA] == [SETTINGS_ACK]
    client.send(settings({MAX_FRAME_SIZE: 16384}))

    assert sizes(client.said()) == [(1, 16384), (1, 60000 - 16384 - 20000 - 16384)]


def test_frames_are_no_larger_than_others_should_wait_for() -> None:
    client = wide_client(max_frame_size=(1 << 24) - 1)
    client.open(1)

    client.core.send_data(1, bytes(200_000))

    assert max(sizes(client.said())) == (1, 132 << 10)


def test_whole_response_is_cut_into_frames_too() -> None:
    client = wide_client()
    client.open(1, end=True)

    client.core.respond(1, RESPONSE, bytes(16385), TRAILERS)

    assert sizes(client.said()) == [(1, 16384), (1, 1)]


def test_take_gives_about_what_is_asked_for() -> None:
    client = wide_client()
    client.open(1)
    client.core.send_data(1, bytes(100_000))

    assert sizes(client.said(30000)) == [(1, 16384), (1, 16384)]
    assert client.core.pending
    assert len(sizes(client.said(1 << 30))) == 5
    assert not client.core.pending


def test_block_larger_than_a_frame_goes_on_in_continuations() -> None:
    client = Client()
    client.open(1, end=True)

    client.core.send_trailers(1, LARGE_BLOCK)

    frames = client.said()
    assert [frame.kind for frame in frames] == [HEADERS, CONTINUATION, CONTINUATION, CONTINUATION]
    assert [frame.flags for frame in frames] == [END_STREAM, 0, 0, END_HEADERS]
    assert {frame.stream for frame in frames} == {1}
    assert max(len(frame.payload) for frame in frames) == 16384
    assert fields_of(b"".join(frame.payload for frame in frames)) == [("x-large", "x" * 60000)]


def test_nothing_comes_in_between_the_frames_of_a_block() -> None:
    client = Client()
    client.open(1, 3, end=True)
    client.core.send_data(3, bytes(100))
    client.core.respond(1, LARGE_BLOCK, b"message", LARGE_BLOCK)
    client.send(ping())

    block_of = 0
    for frame in client.said():
        assert (frame.kind == CONTINUATION) == bool(block_of)
        if frame.kind in (HEADERS, CONTINUATION):
            assert frame.stream == block_of or not block_of
            block_of = 0 if frame.flags & END_HEADERS else frame.stream
    assert block_of == 0


def test_block_of_exactly_one_frame_needs_no_continuation() -> None:
    client = Client()
    client.open(1, 3, end=True)
    client.core.send_headers(1, RESPONSE)
    client.said()

    client.core.send_trailers(3, bytes(16384))
    client.core.send_trailers(1, bytes(16385))

    assert [(frame.kind, len(frame.payload)) for frame in client.said()] == [
        (HEADERS, 16384),
        (HEADERS, 16384),
        (CONTINUATION, 1),
    ]


def test_first_block_gives_up_the_dynamic_table() -> None:
    client = Client(settings={1: 0})
    client.open(1, 3, end=True)
    decoder = Decoder()
    decoder.max_allowed_table_size = 0

    client.core.respond(1, RESPONSE, b"", TRAILERS)
    client.core.respond(3, RESPONSE, b"", TRAILERS)

    blocks = [frame.payload for frame in client.said() if frame.kind == HEADERS]
    assert [each[:1] == b"\x20" for each in blocks] == [True, False, False, False]
    assert [list(map(str, dict(decoder.decode(each)))) for each in blocks][1] == ["grpc-status"]


def test_large_messages_are_not_copied() -> None:
    client = wide_client()
    client.open(1)
    message = bytes(40000)

    client.core.send_data(1, message)

    views = [each for each in client.core.take(1 << 20) if isinstance(each, memoryview)]
    assert sum(map(len, views)) == 40000
    assert all(view.obj is message for view in views)


def test_what_waits_is_counted_and_forgotten_with_its_stream() -> None:
    client = Client(settings={INITIAL_WINDOW_SIZE: 0})
    client.open(1, 3)
    client.core.send_data(1, bytes(10), bytes(20))
    client.core.send_data(3, bytes(5))
    assert (client.core.queued, client.core.queued_on(1), client.core.queued_on(99)) == (35, 30, 0)

    client.send(rst_stream(1))
    assert client.core.queued == 5

    client.core.reset(3, ErrorCode.CANCEL)
    assert client.core.queued == 0


def test_empty_messages_leave_nothing_behind() -> None:
    client = Client()
    client.open(1, end=True)
    client.core.send_data(1, b"", b"")
    client.core.send_data(1, b"text", b"")
    client.core.send_trailers(1, TRAILERS)

    assert [frame.kind for frame in client.said()] == [DATA, HEADERS]


def test_nothing_is_sent_on_streams_that_never_were() -> None:
    client = Client()

    client.core.send_headers(1, RESPONSE)
    client.core.send_data(1, b"x")
    client.core.send_trailers(1, TRAILERS)
    client.core.respond(1, RESPONSE, b"x", TRAILERS)

    assert client.said() == []
    assert not client.core.pending


def test_connection_window_is_shared_in_turn_when_it_opens() -> None:
    client = Client(settings=WIDE)
    client.open(1, 3)
    client.core.send_data(1, bytes(DEFAULT_WINDOW + 5))
    client.core.send_data(3, bytes(5))
    seen = sizes(client.said())

    assert seen[:2] == [(1, 16384), (3, 5)]
    assert sum(size for _, size in seen) == DEFAULT_WINDOW
    assert not client.core.pending

    client.send(window_update(0, 100))
    assert sizes(client.said()) == [(1, 10)]


def test_requests_and_their_order_do_not_matter_to_the_dynamic_table() -> None:
    """Trailers that wait leave later than blocks made after them."""
    client = Client(settings={INITIAL_WINDOW_SIZE: 1})
    client.open(1, 3, end=True)
    client.core.respond(1, RESPONSE, b"message", TRAILERS)
    client.core.respond(3, RESPONSE, b"", TRAILERS)
    client.send(window_update(1, 10), headers(5, end=True))
    decoder = Decoder()

    frames: list[Frame] = client.said() + client.said()

    assert [len(decoder.decode(frame.payload)) for frame in frames if frame.kind == HEADERS] == [2, 2, 1, 1]
