"""Playbooks of the session: what comes in, what it means, what goes out (transport.md 1.3 to 1.6, 1.10)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.transport.errors import SessionClosed, StreamClosed, StreamsExhausted
from gitaly_py.transport.yamux.events import (
    CreditGranted,
    DataReceived,
    Event,
    SessionFailed,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from gitaly_py.transport.yamux.frames import ACK, FIN, INITIAL_WINDOW, RST, SYN, FrameType, encoded
from gitaly_py.transport.yamux.session import Session, Side

MIB = 1 << 20
BOTH = pytest.mark.parametrize("side", list(Side), ids=lambda side: side.name.lower())


def data(stream: int, body: bytes, flags: int = 0) -> bytes:
    return encoded(FrameType.DATA, flags, stream, len(body)) + body


def window(stream: int, length: int = 0, flags: int = 0) -> bytes:
    return encoded(FrameType.WINDOW_UPDATE, flags, stream, length)


def sent(session: Session) -> str:
    return b"".join(session.data_to_send()).hex()


def opened_by_peer(side: Side, **options: int) -> tuple[Session, int]:
    """A session with one stream, opened by the peer and accepted."""
    session = Session(side, **options)
    stream = 1 if side is Side.SERVER else 2
    assert session.receive_data(window(stream, flags=SYN)) == [StreamOpened(stream)]
    session.accept(stream)
    session.data_to_send()
    return session, stream


def test_server_follows_the_recorded_exchange() -> None:
    server = Session(Side.SERVER, window=16 * MIB, backlog=1)

    events = server.receive_data(bytes.fromhex("000100010000000100000000000000000000000100000004") + b"PRI ")
    assert events == [StreamOpened(1), DataReceived(1, b"PRI ")]
    server.accept(1)
    assert sent(server) == "000100020000000100fc0000"

    assert server.open() == 2
    assert sent(server) == "000100010000000200fc0000"
    assert server.data_header(2, 11).hex() == "00000000000000020000000b"
    assert server.data_header(2, 8).hex() == "000000000000000200000008"

    answer = bytes.fromhex("000100020000000200000000000000000000000200000002") + b"ok"
    frames = data(2, b"0009") + data(2, b"hello") + data(2, b"0000")
    assert server.receive_data(answer + frames) == [
        DataReceived(2, part) for part in (b"ok", b"0009", b"hello", b"0000")
    ]
    assert server.data_header(2, 8).hex() == "000000000000000200000008"
    server.close(2)
    assert sent(server) == "000100040000000200000000"
    assert server.receive_data(bytes.fromhex("000100040000000200000000")) == [StreamEnded(2)]
    assert not server.knows(2)


def test_client_follows_the_recorded_exchange() -> None:
    client = Session(Side.CLIENT)

    assert client.open() == 1
    assert sent(client) == "000100010000000100000000"
    assert client.data_header(1, 4).hex() == "000000000000000100000004"
    assert client.receive_data(bytes.fromhex("000100020000000100fc0000")) == [CreditGranted(1, 0xFC0000)]
    assert client.credit(1) == 16 * MIB - 4

    opening = bytes.fromhex("000100010000000200fc0000")
    assert client.receive_data(opening + data(2, b"sidechannel")) == [
        StreamOpened(2),
        CreditGranted(2, 0xFC0000),
        DataReceived(2, b"sidechannel"),
    ]
    client.accept(2)
    assert sent(client) == "000100020000000200000000"


def test_600_kib_take_the_credit_that_the_client_gives_back() -> None:
    client, server = Session(Side.CLIENT), Session(Side.SERVER, window=16 * MIB)
    number = server.open()
    wire = b"".join(server.data_to_send())
    left, frames = 600 * 1024, []
    while left:
        size = min(left, server.credit(number))
        frames.append(size)
        left -= size
        for event in client.receive_data(wire + server.data_header(number, size) + bytes(size)):
            if isinstance(event, StreamOpened):
                client.accept(number)
            elif isinstance(event, DataReceived):
                client.consumed(number, 131072)
                client.consumed(number, len(event.data) - 131072)
        wire = b""
        server.receive_data(b"".join(client.data_to_send()))

    assert frames == [262144, 262144, 90112]


@BOTH
def test_credit_is_given_back_once_half_the_window_is_free(side: Side) -> None:
    session, stream = opened_by_peer(side)
    session.receive_data(data(stream, bytes(200_000)))

    session.consumed(stream, 131071)
    assert sent(session) == ""
    session.consumed(stream, 1)
    assert sent(session) == window(stream, 131072).hex()
    session.consumed(stream, 68928)
    assert sent(session) == ""


@BOTH
def test_own_streams_use_every_second_id(side: Side) -> None:
    session = Session(side)

    first = 1 if side is Side.CLIENT else 2
    assert [session.open() for _ in range(3)] == [first, first + 2, first + 4]


def test_opening_ends_with_the_last_id() -> None:
    session = Session(Side.CLIENT)
    session._next_id = 2**32 - 3

    assert session.open() == 2**32 - 3
    with pytest.raises(StreamsExhausted):
        session.open()


@BOTH
def test_a_stream_is_gone_when_both_sides_have_ended_it(side: Side) -> None:
    session, stream = opened_by_peer(side)

    session.close(stream)
    assert session.knows(stream)
    assert session.credit(stream) == 0
    assert session.receive_data(data(stream, b"last", FIN)) == [
        DataReceived(stream, b"last"),
        StreamEnded(stream),
    ]
    assert not session.knows(stream)


@BOTH
def test_we_may_send_after_the_peer_has_ended(side: Side) -> None:
    session, stream = opened_by_peer(side)

    assert session.receive_data(window(stream, flags=FIN)) == [StreamEnded(stream)]
    assert session.data_header(stream, 3, fin=True) == encoded(FrameType.DATA, FIN, stream, 3)
    assert not session.knows(stream)


def test_nothing_is_sent_after_our_end() -> None:
    session, stream = opened_by_peer(Side.SERVER)
    session.close(stream)
    session.close(stream)

    assert sent(session) == window(stream, flags=FIN).hex()
    with pytest.raises(StreamClosed):
        session.data_header(stream, 0)


def test_more_than_the_credit_is_refused() -> None:
    session, stream = opened_by_peer(Side.SERVER)

    session.data_header(stream, INITIAL_WINDOW - 1)
    with pytest.raises(ValueError, match="2 bytes exceed the credit of 1"):
        session.data_header(stream, 2)


@BOTH
def test_reset_by_the_peer_ends_both_directions(side: Side) -> None:
    session, stream = opened_by_peer(side)

    assert session.receive_data(window(stream, flags=RST)) == [StreamReset(stream)]
    assert session.credit(stream) == 0
    assert session.receive_data(data(stream, b"late")) == []


def test_reset_by_us_is_told_once() -> None:
    session, stream = opened_by_peer(Side.SERVER)

    session.reset(stream)
    session.reset(stream)
    assert sent(session) == window(stream, flags=RST).hex()


def test_streams_beyond_the_backlog_are_refused() -> None:
    session, _ = opened_by_peer(Side.SERVER, backlog=1)

    assert session.receive_data(window(3, flags=SYN) + window(5, flags=SYN)) == [StreamOpened(3)]
    assert sent(session) == window(5, flags=RST).hex()
    session.accept(3)
    assert session.receive_data(window(7, flags=SYN)) == [StreamOpened(7)]


def test_a_waiting_stream_that_is_reset_makes_room() -> None:
    session = Session(Side.SERVER, backlog=1)

    assert session.receive_data(window(1, flags=SYN) + window(1, flags=RST)) == [
        StreamOpened(1),
        StreamReset(1),
    ]
    assert session.receive_data(window(3, flags=SYN)) == [StreamOpened(3)]


@BOTH
def test_a_stream_may_open_with_data(side: Side) -> None:
    stream = 1 if side is Side.SERVER else 2

    assert Session(side).receive_data(data(stream, b"hi", SYN | FIN)) == [
        StreamOpened(stream),
        DataReceived(stream, b"hi"),
        StreamEnded(stream),
    ]


def test_acknowledgment_may_ride_on_data() -> None:
    session = Session(Side.CLIENT)
    stream = session.open()
    assert session.unacknowledged == 1
    assert not session.acknowledged(stream)

    session.receive_data(data(stream, b"", ACK))
    session.receive_data(window(stream, flags=ACK))
    assert session.unacknowledged == 0
    assert session.acknowledged(stream)


@BOTH
def test_ping_is_answered_with_its_value(side: Side) -> None:
    session = Session(side)

    assert session.receive_data(bytes.fromhex("0002000100000000deadbeef")) == []
    assert sent(session) == "0002000200000000deadbeef"
    assert session.receive_data(bytes.fromhex("0002000200000000deadbeef")) == []
    assert sent(session) == ""


def test_frames_for_unknown_streams_are_drained() -> None:
    session = Session(Side.SERVER)

    frames = data(9, b"body" * 100) + window(9, 5) + window(9, flags=FIN) + window(9, flags=RST)
    assert session.receive_data(frames + window(1, flags=SYN)) == [StreamOpened(1)]
    assert sent(session) == ""


def test_data_after_the_peers_end_is_dropped() -> None:
    session, stream = opened_by_peer(Side.SERVER)

    assert session.receive_data(window(stream, flags=FIN) + data(stream, b"late")) == [StreamEnded(stream)]


def test_going_away_leaves_streams_alone_and_refuses_new_ones() -> None:
    session, stream = opened_by_peer(Side.SERVER)

    assert session.receive_data(encoded(FrameType.GO_AWAY, 0, 0, 0)) == []
    assert session.credit(stream) == INITIAL_WINDOW
    with pytest.raises(SessionClosed, match="going away"):
        session.open()


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        pytest.param(window(1, flags=FIN) * 2, True, id="second end"),
        pytest.param(data(1, b"", FIN) + data(1, b"x", FIN), True, id="second end on data"),
        pytest.param(encoded(FrameType.DATA, 0, 1, INITIAL_WINDOW + 1), True, id="beyond the window"),
        pytest.param(window(1, flags=SYN), True, id="id in use"),
        pytest.param(window(2, flags=SYN), True, id="our parity"),
        pytest.param(window(0, flags=SYN), True, id="stream 0"),
        pytest.param(b"\x01" + bytes(11), False, id="version"),
        pytest.param(encoded(4, 0, 0, 0), False, id="type"),
    ],
)
def test_violations_end_the_session(frames: bytes, told: bool) -> None:
    session, _ = opened_by_peer(Side.SERVER)

    events = session.receive_data(frames + window(3, flags=SYN))

    assert isinstance(events[-1], SessionFailed)
    assert events[-1].violation
    assert sent(session) == (encoded(FrameType.GO_AWAY, 0, 0, 1).hex() if told else "")
    assert session.receive_data(window(5, flags=SYN)) == []
    assert session.receive_eof() == []
    with pytest.raises(SessionClosed):
        session.open()


def test_peer_that_goes_away_with_an_error_ends_the_session() -> None:
    session = Session(Side.CLIENT)

    events = session.receive_data(encoded(FrameType.GO_AWAY, 0, 0, 2) + window(2, flags=SYN))
    assert events == [SessionFailed("peer went away with code 2", violation=False)]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [(b"", "EOF"), (bytes(5), "unexpected EOF"), (data(1, b"abc")[:-1], "unexpected EOF")],
    ids=["between frames", "in a header", "in a body"],
)
def test_end_of_the_connection_ends_the_session(frames: bytes, reason: str) -> None:
    session, _ = opened_by_peer(Side.SERVER)
    session.receive_data(frames)

    assert session.receive_eof() == [SessionFailed(reason, violation=False)]
    assert session.receive_eof() == []


def test_window_below_the_initial_one_is_refused() -> None:
    with pytest.raises(ValueError, match="below"):
        Session(Side.CLIENT, window=INITIAL_WINDOW - 1)


FRAMES = st.one_of(
    st.builds(data, st.integers(0, 6), st.binary(max_size=40), st.integers(0, 15)),
    st.builds(window, st.integers(0, 6), st.integers(0, 2**32 - 1), st.integers(0, 15)),
    st.builds(encoded, st.just(2), st.integers(0, 3), st.just(0), st.integers(0, 2**32 - 1)),
    st.builds(encoded, st.just(3), st.just(0), st.just(0), st.integers(0, 2)),
    st.binary(min_size=12, max_size=12),
)


def merged(events: list[Event]) -> list[Event]:
    """Neighbouring pieces of a stream's data as one: a body may be reported in parts."""
    result: list[Event] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, DataReceived) and isinstance(last, DataReceived) and last.stream == event.stream:
            result[-1] = DataReceived(event.stream, last.data + event.data)
        else:
            result.append(event)
    return result


def run(side: Side, chunks: list[bytes]) -> tuple[list[Event], bytes]:
    session = Session(side, backlog=2)
    events: list[Event] = []
    for _ in range(2):
        session.open()
    for chunk in chunks:
        events += session.receive_data(memoryview(chunk))
    return merged(events + session.receive_eof()), b"".join(session.data_to_send())


@settings(max_examples=100)
@given(st.sampled_from(Side), st.lists(FRAMES, max_size=12), st.data())
def test_any_split_of_the_bytes_means_the_same(side: Side, frames: list[bytes], draw: st.DataObject) -> None:
    stream = b"".join(frames)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert run(side, chunks) == run(side, [stream])
    assert run(side, [stream[i : i + 1] for i in range(len(stream))]) == run(side, [stream])
