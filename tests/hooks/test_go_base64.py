"""Base64 as Go reads it (transport.md 8.1)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.hooks.errors import PayloadInvalid
from gitaly_py.hooks.go_base64 import decode


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.integers(min_value=1, max_value=9))
def test_what_was_encoded_is_decoded_whatever_the_line_length(data: bytes, width: int) -> None:
    text = base64.b64encode(data).decode()
    lines = "\r\n".join(text[start : start + width] for start in range(0, len(text), width))

    assert decode(text) == decode(lines) == data


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("!", 0),
        ("####", 0),
        ("x===", 1),
        ("=", 0),
        ("AAA=AAAA", 4),
        ("AAAAA", 4),
        ("AAAAAA", 4),
        ("A", 0),
        ("AA", 0),
        ("AAA", 0),
        ("A=", 1),
        ("AA=", 3),
        ("AA=A", 2),
        ("AA==A", 4),
        ("AAA==", 4),
        ("AAAAAA=\n", 8),
        ("A!\n", 1),
        ("AAA=\n=", 5),
        ("YWJj\n!", 5),
        ("AAAAü", 4),
    ],
)
def test_an_error_names_the_byte_go_names(text: str, place: int) -> None:
    with pytest.raises(PayloadInvalid) as caught:
        decode(text)

    assert str(caught.value) == f"illegal base64 data at input byte {place}"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="AZaz09+/=\n!", max_size=12))
def test_every_text_is_decoded_or_refused_at_a_place_within_it(text: str) -> None:
    try:
        accepted: bytes | PayloadInvalid = decode(text)
    except PayloadInvalid as error:
        accepted = error

    if isinstance(accepted, PayloadInvalid):
        assert 0 <= int(str(accepted).rsplit(" ", 1)[1]) <= len(text)
    else:
        assert base64.b64decode(text) == accepted
