"""Go's quoting; expected values are what Go prints."""

from __future__ import annotations

import pytest

from gitaly_py.git.wire.goquote import quote, quote_rune


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("plain text", '"plain text"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\0\x1f\x7f", '"\\x00\\x1f\\x7f"'),
        ("é世界", '"é世界"'),
        ("\u00a0\u2028\u200b", '"\\u00a0\\u2028\\u200b"'),
        ("\U000e0001", '"\\U000e0001"'),
        (b"\xff\xfea\xc3\xa9", '"\\xff\\xfeaé"'),
        ("it's", '"it\'s"'),
        ("\udcff", '"\\xff"'),
        ("\ufffd", '"\ufffd"'),
    ],
    ids=ascii,
)
def test_strings_are_quoted_as_go_does(value: str | bytes, quoted: str) -> None:
    assert quote(value) == quoted


@pytest.mark.parametrize(
    ("char", "quoted"),
    [("G", "'G'"), ("'", "'\\''"), ('"', "'\"'"), ("\n", "'\\n'"), ("\0", "'\\x00'")],
    ids=ascii,
)
def test_characters_are_quoted_as_go_does(char: str, quoted: str) -> None:
    assert quote_rune(char) == quoted
