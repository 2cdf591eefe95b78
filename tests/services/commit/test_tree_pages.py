"""Page tokens of tree listings (commit.md 3.3)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.services.commit.tree_pages import Start, parse_token, token_of


@settings(max_examples=100, deadline=None)
@given(path=st.binary(), tree=st.sampled_from(["", "1" * 40, "f" * 64]))
def test_a_token_says_what_it_was_made_of(path: bytes, tree: str) -> None:
    start = parse_token(token_of(path, tree))

    assert (start.path, start.tree) == (path, tree)


@settings(max_examples=100, deadline=None)
@given(token=st.text(min_size=1))
def test_any_text_is_a_token(token: str) -> None:
    assert parse_token(token).text or parse_token(token).path == b""


@pytest.mark.parametrize(
    "json", ["[]", "1", "null", '"x"', '{"file_name":1}', '{"tree_oid":[]}', "{", "[" * 100_000]
)
def test_what_is_no_object_of_texts_is_an_old_token(json: str) -> None:
    token = base64.b64encode(json.encode()).decode()

    assert parse_token(token) == Start(token, None)
