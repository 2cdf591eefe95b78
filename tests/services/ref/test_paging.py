"""Cursors and page parameters."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.pb.ref_pb2 import ListRefsRequest
from gitaly_py.pb.shared_pb2 import PaginationParameter
from gitaly_py.services.ref.paging import Page, decode_cursor, encode_cursor


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=50))
def test_a_cursor_leads_back_to_its_name(name: bytes) -> None:
    assert decode_cursor(encode_cursor(name).encode()) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(b"refs/tags/x", b'{"ref_name":"refs/tags/x"}', id="plain"),
        pytest.param("refs/ü".encode(), '{"ref_name":"refs/ü"}'.encode(), id="utf-8 stays"),
        pytest.param(b"refs/<a>&", b'{"ref_name":"refs/\\u003ca\\u003e\\u0026"}', id="html is escaped"),
        pytest.param(b'refs/"', b'{"ref_name":"refs/\\""}', id="quote"),
        pytest.param(b"refs/\xff", b'{"ref_name":"refs/\\udcff"}', id="no utf-8"),
    ],
)
def test_a_cursor_is_compact_json_in_base64(name: bytes, text: bytes) -> None:
    assert base64.b64decode(encode_cursor(name)) == text


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(b"refs/heads/main", id="bad base64"),
        pytest.param(base64.b64encode(b"{"), id="bad JSON"),
        pytest.param(base64.b64encode(b"[" * 100_000), id="too deep"),
        pytest.param(base64.b64encode(b'"refs/heads/main"'), id="no object"),
        pytest.param(base64.b64encode(b'{"ref_name":""}'), id="empty name"),
        pytest.param(base64.b64encode(b'{"ref_name":1}'), id="name is no text"),
        pytest.param(base64.b64encode(b'{"ref_name":"\\ud800"}'), id="name is no bytes"),
        pytest.param(base64.b64encode(b"{}"), id="no name"),
    ],
)
def test_a_token_that_is_no_cursor_is_a_name(token: bytes) -> None:
    assert decode_cursor(token) == token


@pytest.mark.parametrize(
    ("parameters", "limit"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param(PaginationParameter(), 0, id="without a limit"),
        pytest.param(PaginationParameter(limit=-1), None, id="negative"),
        pytest.param(PaginationParameter(limit=7), 7, id="positive"),
    ],
)
def test_the_limit_is_taken_literally(parameters: PaginationParameter | None, limit: int | None) -> None:
    assert Page.of(ListRefsRequest(pagination_params=parameters)).limit == limit
