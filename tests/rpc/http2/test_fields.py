"""What is allowed in header fields, and what a request must have (RFC 9113 8.1.1, 8.2, 8.3)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gitaly_py.rpc.http2.errors import ErrorCode, StreamFault
from gitaly_py.rpc.http2.fields import MALFORMED, content_length, is_trailers, make_field, request_fields

PSEUDO = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b"), (":authority", "localhost")]


def made(name: str, value: str | bytes = "x") -> object:
    return make_field(name.encode("latin-1"), value if isinstance(value, bytes) else value.encode("latin-1"))


@pytest.mark.parametrize("name", ["a", "grpc-timeout", "x_y.z", "!#$%&'*+-.^_`|~09"])
def test_names_are_lower_case_tokens(name: str) -> None:
    assert made(name) == (name, "x")


@pytest.mark.parametrize(
    "name",
    ["", "Upper", "two words", "a:b", ":", "a\0", "a\n", "a\x7f", "\xe9", "a/b", "a\n-bin", ":A", "::path"],
)
def test_other_names_are_malformed(name: str) -> None:
    assert made(name) == MALFORMED


@pytest.mark.parametrize(
    "value", ["", "x", "a b\tc", "\x01\x7f", "gr\xf6\xdfer", '"quoted", too', " a", "a "]
)
def test_values_are_text_of_any_octets(value: str) -> None:
    assert made("name", value) == ("name", value)


@pytest.mark.parametrize("value", ["a\0b", "a\nb", "a\rb", "\n", "a\n"])
def test_values_with_line_ends_or_nul_are_malformed(value: str) -> None:
    assert made("name", value) == MALFORMED


@pytest.mark.parametrize(
    "name", ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]
)
def test_fields_of_a_connection_are_malformed(name: str) -> None:
    assert made(name) == MALFORMED


def test_te_may_only_be_trailers() -> None:
    assert made("te", "trailers") == ("te", "trailers")
    assert made("te", "gzip") == made("te", "trailers, gzip") == MALFORMED


@pytest.mark.parametrize("name", [":status", ":protocol", ":version", ":x-bin", ":path-bin"])
def test_pseudo_headers_of_no_request_are_malformed(name: str) -> None:
    assert made(name, "YQ") == MALFORMED


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("", b""),
        ("AAEC", b"\0\1\2"),
        ("AAE=", b"\0\1"),
        ("AAE", b"\0\1"),
        ("AA", b"\0"),
        ("AAEC,/w", (b"\0\1\2", b"\xff")),
        ("AAEC, /w==,", (b"\0\1\2", b"\xff", b"")),
    ],
)
def test_binary_values_are_base64_with_or_without_padding(value: str, decoded: object) -> None:
    assert made("x-bin", value) == ("x-bin", decoded)


@pytest.mark.parametrize("value", ["*", "A", "AA-_", "A A=", "AA=A", "\xe9"])
def test_binary_values_that_are_not_base64_are_malformed(value: str) -> None:
    assert made("x-bin", value) == MALFORMED


@examples(max_examples=50)
@given(values=st.lists(st.binary(max_size=20), min_size=2, max_size=4), pad=st.booleans())
def test_several_binary_values_in_one_field_are_told_apart(values: list[bytes], pad: bool) -> None:
    texts = [base64.b64encode(value) if pad else base64.b64encode(value).rstrip(b"=") for value in values]

    assert make_field(b"x-bin", b",".join(texts)) == ("x-bin", tuple(values))


def test_request_has_its_fields_by_name() -> None:
    assert request_fields(1, [*PSEUDO, ("te", "trailers")]) == {**dict(PSEUDO), "te": "trailers"}


def test_values_of_a_repeated_name_are_kept_in_order() -> None:
    fields = [*PSEUDO, ("a", "1"), ("b-bin", (b"1", b"2")), ("a", "2"), ("b-bin", b"3")]

    found = request_fields(1, fields)

    assert (found["a"], found["b-bin"]) == (("1", "2"), (b"1", b"2", b"3"))


def test_authority_may_be_left_away_and_the_order_is_free() -> None:
    assert request_fields(1, [PSEUDO[2], PSEUDO[0], PSEUDO[1], ("host", "a")])[":path"] == "/a/b"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="nothing"),
        pytest.param(PSEUDO[1:], id="no method"),
        pytest.param([PSEUDO[0], *PSEUDO[2:]], id="no scheme"),
        pytest.param([*PSEUDO[:2], PSEUDO[3]], id="no path"),
        pytest.param([*PSEUDO[:2], (":path", ""), PSEUDO[3]], id="empty path"),
        pytest.param([(":method", ""), *PSEUDO[1:]], id="empty method"),
        pytest.param([*PSEUDO[:3], ("a", "b"), PSEUDO[3]], id="pseudo-header behind a field"),
        pytest.param([("a", "b"), *PSEUDO], id="field in front of them"),
        pytest.param([*PSEUDO, PSEUDO[2]], id="path twice"),
        pytest.param([*PSEUDO[:3], PSEUDO[2]], id="path twice without authority"),
        pytest.param([*PSEUDO, PSEUDO[3]], id="authority twice"),
        pytest.param([*PSEUDO, MALFORMED], id="malformed field"),
        pytest.param([*PSEUDO, MALFORMED, MALFORMED], id="malformed fields"),
    ],
)
def test_malformed_request_is_a_stream_error(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(StreamFault) as fault:
        request_fields(7, fields)

    assert (fault.value.stream, fault.value.code) == (7, ErrorCode.PROTOCOL_ERROR)


def test_trailers_have_neither_pseudo_headers_nor_malformed_fields() -> None:
    assert is_trailers([("a", "1"), ("b", "2")])
    assert is_trailers([])
    assert not is_trailers([("a", "1"), (":path", "/")])
    assert not is_trailers([MALFORMED])


@pytest.mark.parametrize(("value", "size"), [("0", 0), ("12", 12), ("9" * 18, int("9" * 18))])
def test_content_length_is_a_number(value: str, size: int) -> None:
    assert content_length(1, {"content-length": value}) == size
    assert content_length(1, {}) is None


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.0", "0x1", "1 2", "\u0661", "9" * 19, ("1", "1")])
def test_content_length_that_is_no_number_is_a_stream_error(value: object) -> None:
    with pytest.raises(StreamFault):
        content_length(1, {"content-length": value})


@examples(max_examples=100)
@given(name=st.binary(max_size=12), value=st.binary(max_size=12))
def test_any_octets_make_a_field(name: bytes, value: bytes) -> None:
    field = make_field(name, value)

    assert field == MALFORMED or field[0].encode() == name
