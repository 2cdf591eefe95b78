"""Parsing of regular expressions: what is refused, and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.services.regexp.errors import InvalidExpression
from gitaly_py.services.regexp.matching import Expression
from gitaly_py.services.regexp.parsing import parse

REFUSED = [
    ("+*.", "missing argument to repetition operator: `+`"),
    ("*", "missing argument to repetition operator: `*`"),
    ("??", "missing argument to repetition operator: `??`"),
    ("(+)", "missing argument to repetition operator: `+`"),
    ("a|*", "missing argument to repetition operator: `*`"),
    ("{2}", "missing argument to repetition operator: `{2}`"),
    ("(?i)*", "missing argument to repetition operator: `*`"),
    ("a**", "invalid nested repetition operator: `**`"),
    ("a++", "invalid nested repetition operator: `++`"),
    ("a*?+b", "invalid nested repetition operator: `*?+`"),
    ("a{2}{3}?", "invalid nested repetition operator: `{2}{3}?`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    ("a{5,2}", "invalid repeat count: `{5,2}`"),
    ("a{0,99999999999}", "invalid repeat count: `{0,99999999999}`"),
    ("((a{10}){10}){11}", "invalid repeat count: `{11}`"),
    ("((a{0}){1000}){1000}", "invalid repeat count: `{1000}`"),
    ("(a{100}|b){11}", "invalid repeat count: `{11}`"),
    ("(?:[a-z]{100}){10}" * 11, "expression too large: `" + "(?:[a-z]{100}){10}" * 11 + "`"),
    ("(", "missing closing ): `(`"),
    ("a(b(c)", "missing closing ): `a(b(c)`"),
    ("a)b", "unexpected ): `a)b`"),
    ("x[a", "missing closing ]: `[a`"),
    ("[]", "missing closing ]: `[]`"),
    ("[a-", "missing closing ]: `[a-`"),
    ("[z-a]", "invalid character class range: `z-a`"),
    ("[[:nope:]]", "invalid character class range: `[:nope:]`"),
    (r"\pX", r"invalid character class range: `\pX`"),
    (r"a\p{Nope}b", r"invalid character class range: `\p{Nope}`"),
    (r"\p{L", r"invalid character class range: `\p{L`"),
    ("a\\", "trailing backslash at end of expression: ``"),
    (r"\1", r"invalid escape sequence: `\1`"),
    (r"\8", r"invalid escape sequence: `\8`"),
    (r"\C", r"invalid escape sequence: `\C`"),
    (r"\Z", r"invalid escape sequence: `\Z`"),
    (r"[\A]", r"invalid escape sequence: `\A`"),
    (r"\xg0", r"invalid escape sequence: `\xg0`"),
    (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
    (r"\x{}", r"invalid escape sequence: `\x{}`"),
    ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
    ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
    ("(?i--s)", "invalid or unsupported Perl syntax: `(?i--`"),
    ("(?P=name)", "invalid or unsupported Perl syntax: `(?P`"),
    ("(?P<n", "invalid named capture: `(?P<n`"),
    ("a(?P<x y>b)", "invalid named capture: `(?P<x y>`"),
    ("(?<>a)", "invalid named capture: `(?<>`"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_no_expression_is_explained(text: str, message: str) -> None:
    with pytest.raises(InvalidExpression) as raised:
        parse(text)
    assert str(raised.value) == f"error parsing regexp: {message}"


@pytest.mark.parametrize(
    "text",
    ["", "{", "a{,2}", "a{01}", "a{1", "]", "}", "()*", "(|)+", "a||b", "^*", "(?i)", "(?:)", "(?-s:.)"]
    + ["(?ims-U:a)", "(?P<a_1>x)(?<a_1>y)", r"\Q*[\E+", r"\Q", "[]a]", "[^]]", "[a-]", "[-a]", r"[\d-z]"]
    + ["a{1000}", "(" * 400 + ")" * 400, r"\p{^Lu}\PN\p{Any}", "((a{1000}){0}){1000}"],
)
def test_what_is_an_expression_is_taken(text: str) -> None:
    assert Expression(text).matching([b"a"]) in ([], [b"a"])


def test_a_text_that_every_match_has_is_found() -> None:
    for text, required, literal in (
        ("docs/guide", "docs/guide", True),
        (r"\.md$", ".md", True),
        (r"^\.md", ".md", True),
        ("^$", "", True),
        ("(?m)^a", "a", False),
        ("a^b$c", "a", False),
        (r"a\.go.*\.test", ".test", False),
        ("abc*d", "ab", False),
        ("abc|d", "", False),
        ("(?i)abc", "", False),
        ("(?i:a)bc", "bc", False),
        ("x(abc)yz", "yz", False),
    ):
        parsed = parse(text)
        assert (parsed.required, parsed.literal) == (required, literal), text


@given(st.text(alphabet="ab()[]{}*+?|\\^$.-,:<>PiQE1x2é\n", max_size=30))
def test_any_text_is_taken_or_refused(text: str) -> None:
    candidates = [b"", b"ab", b"\xff\n"]
    try:
        found, part = Expression(text).matching(candidates), ""
    except InvalidExpression as error:
        found, part = [], error.part

    assert part in text
    assert found == [candidate for candidate in candidates if candidate in found]
