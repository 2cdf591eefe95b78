"""Identities (commit.md 2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.ident import IMPOSSIBLE_DATE, Ident, parse_ident


@pytest.mark.parametrize(
    ("value", "ident"),
    [
        (b"A U Thor <a@b> 12 +0200", Ident(b"A U Thor", b"a@b", 12, b"+0200")),
        (b"A  <a@b> 12", Ident(b"A ", b"a@b", 12)),
        (b"<a@b>", Ident(b"", b"a@b")),
        (b"A <>", Ident(b"A", b"")),
        (b"A ", Ident(b"A")),
        (b"A <a@b", Ident(b"A")),
        (b"A <a <b@c> d> 1 +0", Ident(b"A", b"a <b@c", IMPOSSIBLE_DATE)),
        (b"A <a> 1 2 3", Ident(b"A", b"a", 1)),
        (b"A <a>  1   +51800 ", Ident(b"A", b"a", 1, b"+51800")),
        (b"A <a> +5 x", Ident(b"A", b"a", 5, b"x")),
        (b"A <a> -1 +0000", Ident(b"A", b"a", IMPOSSIBLE_DATE, b"+0000")),
        (b"A <a> 9007199254740992 z", Ident(b"A", b"a", 2**53, b"z")),
        (b"A <a> 9007199254740993 z", Ident(b"A", b"a", IMPOSSIBLE_DATE, b"z")),
        (b"A <a> 1_0", Ident(b"A", b"a", IMPOSSIBLE_DATE)),
        (b"A <a> 0x1", Ident(b"A", b"a", IMPOSSIBLE_DATE)),
        (b"A <a> " + b"9" * 5000, Ident(b"A", b"a", IMPOSSIBLE_DATE)),
        (b"A <a> " + b"0" * 5000 + b"7", Ident(b"A", b"a", 7)),
    ],
    ids=lambda each: ascii(each)[:40] if isinstance(each, bytes) else "",
)
def test_identities_are_read_leniently(value: bytes, ident: Ident) -> None:
    assert parse_ident(value) == ident


@settings(max_examples=100)
@given(st.binary() | st.text(alphabet="<> 0-+a").map(str.encode))
def test_no_identity_fails_to_parse(value: bytes) -> None:
    ident = parse_ident(value)
    assert ident.seconds is None or 0 <= ident.seconds <= IMPOSSIBLE_DATE
    assert value.startswith(ident.name)
