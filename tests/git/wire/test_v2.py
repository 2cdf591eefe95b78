"""Requests of protocol version 2: round trips, any split, and what git refuses to read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedRequest
from gitaly_py.git.wire.pktline import DELIMITER, FLUSH, RESPONSE_END, Incomplete
from gitaly_py.git.wire.pktline import encode as packet
from gitaly_py.git.wire.v2 import Parsed, Request, encode, parse

lines = (
    st.binary(max_size=30)
    .map(lambda line: line.rstrip(b"\n"))
    .filter(lambda line: not line.startswith(b"ERR "))
)
capabilities = lines.filter(lambda line: not line.startswith(b"command="))
commands = lines.filter(bool)
requests = st.builds(
    Request,
    commands,
    st.lists(capabilities, max_size=4).map(tuple),
    st.lists(lines, max_size=6).map(tuple),
)


def refused(data: bytes, **options: int) -> str:
    with pytest.raises(MalformedRequest) as raised:
        parse(data, **options)
    return str(raised.value)


@given(requests, st.binary(max_size=20), st.binary(max_size=20))
def test_what_was_encoded_is_parsed_wherever_it_stands(request: Request, before: bytes, after: bytes) -> None:
    data = encode(request)

    assert parse(before + data + after, len(before)) == Parsed(request, len(before) + len(data))


@given(requests, st.data())
def test_a_request_cut_anywhere_is_incomplete_and_says_what_is_missing_at_least(
    request: Request, data: st.DataObject
) -> None:
    whole = encode(request)
    cut = data.draw(st.integers(0, len(whole) - 1))

    found = parse(whole[:cut])

    assert isinstance(found, Incomplete)
    assert 0 < found.needed <= len(whole) - cut


@settings(max_examples=300)
@given(
    st.lists(
        st.binary(max_size=8)
        | st.sampled_from([FLUSH, DELIMITER, RESPONSE_END, b"0003", b"0004", b"ffff"])
        | st.sampled_from([b"command=x", b"command=", b"ERR x", b"agent=\0", b"\n"]).map(packet),
        max_size=8,
    ).map(b"".join)
)
def test_garbage_raises_nothing_but_the_error_of_the_module(data: bytes) -> None:
    with contextlib.suppress(MalformedRequest):
        assert isinstance(parse(data), Parsed | Incomplete)


def test_the_command_may_stand_anywhere_and_a_newline_is_no_part_of_a_line() -> None:
    data = packet(b"agent=x\n") + packet(b"command=ls-refs") + packet(b"a\n\n") + FLUSH

    assert parse(data) == Parsed(Request(b"ls-refs", (b"agent=x", b"a\n")), len(data))


def test_a_lone_flush_says_that_the_client_is_done() -> None:
    assert parse(FLUSH) == Parsed(Request(b""), 4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packet(b"agent=x\n") + FLUSH, "no command"),
        (DELIMITER + FLUSH, "no command"),
        (packet(b"command=\n") + FLUSH, "a command without a name"),
        (packet(b"command=a") + packet(b"command=b") + FLUSH, "more than one command"),
        (packet(b"command=a") + DELIMITER + DELIMITER, "unexpected delimiter packet"),
        (packet(b"command=a") + RESPONSE_END, "unexpected response end packet"),
        (packet(b"ERR gone"), "the client reports an error"),
        (b"0003", "bad packet length b'0003'"),
        (b"zzzz", "bad packet length b'zzzz'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_git_would_not_read_is_refused(data: bytes, reason: str) -> None:
    assert refused(data) == reason


def test_a_request_is_refused_as_soon_as_it_must_become_too_long() -> None:
    whole = encode(Request(b"ls-refs", (), (b"peel",)))

    assert parse(whole, limit=len(whole)) == Parsed(Request(b"ls-refs", (), (b"peel",)), len(whole))
    assert refused(whole, limit=len(whole) - 1) == f"a request of more than {len(whole) - 1} bytes"
    assert refused(packet(b"x" * 90)[:4], limit=80) == "a request of more than 80 bytes"
