from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.transport.errors import InvalidFrame
from gitaly_py.transport.framing import END, MAX_PAYLOAD, Deframer, framed


def test_frames_are_as_recorded() -> None:
    assert framed(b"hello") == b"0009hello"


def test_long_data_is_cut_at_the_largest_payload() -> None:
    data = framed(bytes(MAX_PAYLOAD + 1))

    assert data[:4] == b"fff0"
    assert data[4 + MAX_PAYLOAD :] == b"0005\0"


def test_nothing_makes_no_frame() -> None:
    assert framed(b"") == b""


def test_empty_frames_are_ignored() -> None:
    deframer = Deframer()

    assert deframer.receive_data(b"0004" + b"0005x" + b"0004") == b"x"
    assert not deframer.ended


def test_what_follows_the_end_is_ignored() -> None:
    deframer = Deframer()

    assert deframer.receive_data(b"0006ab" + END + b"zzzz") == b"ab"
    assert deframer.ended
    assert deframer.receive_data(b"0005x") == b""


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"0001", "sidechannel: invalid header 1"),
        (b"0002", "sidechannel: invalid header 2"),
        (b"0003", "sidechannel: invalid header 3"),
        (b"fff1", 'sidechannel: invalid header "fff1"'),
        (b"+004", 'sidechannel: invalid header "+004"'),
        (b"\xff\xff\xff\xff", 'sidechannel: invalid header "\\xff\\xff\\xff\\xff"'),
    ],
    ids=lambda value: value if isinstance(value, str) else value.hex(),
)
def test_impossible_headers_are_refused(header: bytes, text: str) -> None:
    with pytest.raises(InvalidFrame) as caught:
        Deframer().receive_data(b"0005x" + header)

    assert str(caught.value) == text


def test_upper_case_lengths_are_read() -> None:
    assert Deframer().receive_data(b"000A" + b"abcdef") == b"abcdef"


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_any_split_gives_the_payload(parts: list[bytes], draw: st.DataObject) -> None:
    data = b"".join(map(framed, parts)) + END
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    deframer = Deframer()

    got = [deframer.receive_data(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    assert b"".join(got) == b"".join(parts)
    assert deframer.ended
