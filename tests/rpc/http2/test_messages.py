"""Messages in the body of a request (gRPC over HTTP/2, Length-Prefixed-Message)."""

from __future__ import annotations

import gzip
import tracemalloc
from collections import deque
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2.messages import (
    Decompress,
    MessageError,
    MessageReader,
    MessageTooLarge,
    gunzip,
    keep,
    prefix,
)

MAX = 1000


def framed(message: bytes, flag: int = 0) -> bytes:
    return pack(">BI", flag, len(message)) + message


def compressed(message: bytes) -> bytes:
    return framed(gzip.compress(message), 1)


def read(*parts: bytes, decompress: Decompress | None = gunzip, max_size: int = MAX) -> list[bytes]:
    reader = MessageReader(max_size, decompress)
    return [message for part in parts for message, _ in reader.feed(part)]


def test_messages_come_with_the_octets_they_took() -> None:
    reader = MessageReader(MAX, None)

    assert list(reader.feed(framed(b"one") + framed(b"") + framed(b"three"))) == [
        (b"one", 8),
        (b"", 5),
        (b"three", 10),
    ]


def test_prefix_is_of_an_uncompressed_message() -> None:
    assert prefix(0x01020304) == bytes((0, 1, 2, 3, 4))


def test_message_comes_when_it_is_whole() -> None:
    reader = MessageReader(MAX, None)
    octets = framed(b"message")

    assert [list(reader.feed(octets[at : at + 1])) for at in range(11)] == [[]] * 11
    assert list(reader.feed(octets[11:])) == [(b"message", 12)]


@pytest.mark.parametrize("cut", range(1, 12))
def test_message_that_has_begun_is_incomplete_until_it_ends(cut: int) -> None:
    reader = MessageReader(MAX, None)
    assert not reader.incomplete

    list(reader.feed(framed(b"message")[:cut]))
    assert reader.incomplete

    list(reader.feed(framed(b"message")[cut:]))
    assert not reader.incomplete


def test_compressed_and_plain_messages_may_be_mixed() -> None:
    assert read(compressed(b"one") + framed(b"two") + compressed(b"")) == [b"one", b"two", b""]


def test_message_of_the_greatest_size_is_taken() -> None:
    assert read(framed(bytes(MAX)) + compressed(bytes(MAX))) == [bytes(MAX)] * 2


def test_message_above_the_greatest_size_is_refused_before_it_comes() -> None:
    with pytest.raises(MessageTooLarge, match=r"received message larger than max \(1001 vs. 1000\)"):
        read(pack(">BI", 0, MAX + 1))


def test_decompressed_message_above_the_greatest_size_is_refused() -> None:
    with pytest.raises(MessageTooLarge, match="after decompression larger than max 1000"):
        read(compressed(bytes(MAX + 1)))


def test_message_is_decompressed_no_further_than_allowed() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(MessageTooLarge):
            gunzip(bomb, MAX)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


def test_compressed_message_needs_an_encoding() -> None:
    with pytest.raises(MessageError, match="compressed flag set with identity or empty encoding"):
        read(compressed(b"x"), decompress=None)


def test_flags_other_than_compressed_are_refused() -> None:
    with pytest.raises(MessageError, match="unexpected payload format 2"):
        read(framed(b"x", 2))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"plain text", id="no gzip"),
        pytest.param(gzip.compress(b"text" * 50)[:-1], id="cut off"),
        pytest.param(gzip.compress(b"text" * 50)[:-8], id="without its check"),
        pytest.param(gzip.compress(b"text")[:-8] + bytes(8), id="wrong check"),
        pytest.param(gzip.compress(b"text") + b"more", id="more behind it"),
        pytest.param(gzip.compress(b"one") + gzip.compress(b"two"), id="two of them"),
    ],
)
def test_what_is_not_one_gzip_file_is_refused(octets: bytes) -> None:
    with pytest.raises(MessageError, match="failed to decompress the received message"):
        gunzip(octets, MAX)


def test_messages_in_front_of_a_wrong_one_still_come() -> None:
    messages: deque[tuple[bytes, int]] = deque()

    with pytest.raises(MessageError):
        messages.extend(MessageReader(MAX, None).feed(framed(b"one") + framed(b"two") + framed(b"x", 7)))

    assert [message for message, _ in messages] == [b"one", b"two"]


@settings(max_examples=100)
@given(
    messages=st.lists(st.tuples(st.binary(max_size=60), st.booleans()), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_split_gives_the_same_messages(messages: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    octets = b"".join(compressed(message) if small else framed(message) for message, small in messages)
    places = sorted({0, len(octets), *(cut for cut in cuts if cut < len(octets))})

    parts = [octets[start:stop] for start, stop in pairwise(places)]

    assert read(*parts) == [message for message, _ in messages]


@settings(max_examples=100)
@given(octets=st.binary(max_size=200), flag=st.sampled_from([0, 1]))
def test_nothing_but_a_message_error_comes_of_any_octets(octets: bytes, flag: int) -> None:
    reader = MessageReader(100, gunzip)
    try:
        for message, _ in reader.feed(framed(octets, flag)[: 5 + len(octets)] + octets):
            assert len(message) <= 100
    except MessageError:
        pass


def test_pieces_of_few_octets_are_kept_together() -> None:
    parts: list[bytes | memoryview] = []
    for _ in range(10_000):
        keep(parts, b"ab")

    assert b"".join(parts) == b"ab" * 10_000
    assert len(parts) < 10


def test_large_pieces_are_kept_as_they_are() -> None:
    large = memoryview(bytes(10_000))
    parts: list[bytes | memoryview] = []
    for piece in (large, b"ab", large):
        keep(parts, piece)

    assert [parts[0] is large, parts[2] is large] == [True, True]
