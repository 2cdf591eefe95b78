"""Header blocks of responses (gRPC over HTTP/2, Responses)."""

from __future__ import annotations

import base64
from urllib.parse import unquote_to_bytes

import pytest
from google.rpc import status_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.rpc.http2 import replies
from gitaly_py.rpc.http2.replies import percent_encoded
from gitaly_py.rpc.status import OK, Status
from tests.support.http2 import fields_of


def test_response_begins_with_its_status_and_type() -> None:
    assert fields_of(replies.RESPONSE) == [(":status", "200"), ("content-type", "application/grpc")]


def test_response_that_went_well_ends_with_its_status_alone() -> None:
    assert fields_of(replies.trailers(OK, ())) == [("grpc-status", "0")]


def test_response_ends_with_status_message_and_further_fields() -> None:
    block = replies.trailers(Status(StatusCode.NOT_FOUND, "no such thing"), (("x-cost", "7"),))

    assert fields_of(block) == [("grpc-status", "5"), ("grpc-message", "no such thing"), ("x-cost", "7")]


def test_further_fields_go_with_success_too() -> None:
    assert fields_of(replies.trailers(OK, (("x-cost", "7"),))) == [("grpc-status", "0"), ("x-cost", "7")]


@pytest.mark.parametrize("code", list(StatusCode), ids=lambda code: code.name)
def test_every_code_has_its_number(code: StatusCode) -> None:
    assert ("grpc-status", str(code.value[0])) in fields_of(replies.trailers(Status(code), ()))


def test_details_are_base64_without_padding() -> None:
    status = Status(StatusCode.RESOURCE_EXHAUSTED, "limit", (LimitError(error_message="limit"),))

    value = dict(fields_of(replies.trailers(status, ())))["grpc-status-details-bin"]

    assert "=" not in value
    decoded = status_pb2.Status.FromString(base64.b64decode(value + "=" * (-len(value) % 4)))
    assert (decoded.code, decoded.message, len(decoded.details)) == (8, "limit", 1)


def test_response_without_messages_is_one_block() -> None:
    block = replies.trailers_only(Status(StatusCode.UNAVAILABLE, "later"))

    assert fields_of(block) == [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", "14"),
        ("grpc-message", "later"),
    ]


def test_response_without_messages_may_have_another_http_status() -> None:
    block = replies.trailers_only(Status(StatusCode.UNKNOWN, "x"), (("x-a", "b"),), http_status=415)

    assert fields_of(block)[0] == (":status", "415")
    assert fields_of(block)[-1] == ("x-a", "b")


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain text, with: ~!@#$^&*()_+", b"plain text, with: ~!@#$^&*()_+"),
        ("100%", b"100%25"),
        ("two\nlines\r\0", b"two%0Alines%0D%00"),
        ("größer \U0001f984", b"gr%C3%B6%C3%9Fer %F0%9F%A6%84"),
        ("\x7f", b"%7F"),
        (" outside ", b"%20outside%20"),
        (" ", b"%20"),
        ("a\udcffb", b"a%FFb"),
        ("a\ud800b", b"a?b"),
        ("\ud800\udcff", b"??"),
    ],
)
def test_message_is_percent_encoded(text: str, encoded: bytes) -> None:
    assert percent_encoded(text) == encoded


@examples(max_examples=100)
@given(text=st.text(min_size=1))
def test_percent_encoding_goes_both_ways_and_is_a_sound_field_value(text: str) -> None:
    encoded = percent_encoded(text)

    assert unquote_to_bytes(encoded).decode() == text
    assert encoded.isascii()
    assert encoded.decode().isprintable()
    assert encoded.strip() == encoded
