"""Matching of regular expressions. Python's `re` is the oracle where both mean the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.services.regexp import matching
from gitaly_py.services.regexp.matching import Expression


def matches(text: str, candidate: bytes) -> bool:
    return Expression(text).matching([candidate]) == [candidate]


@pytest.mark.parametrize(
    ("text", "matched", "others"),
    [
        (".", [b"x", b"\xff", "é".encode()], [b"", b"\n"]),
        ("(?s).", [b"\n"], [b""]),
        ("^.$", ["é".encode(), b"\xff"], [b"\xff\xff", b"\xe2\x82"]),
        ("^..$", [b"\xe2\x82", b"\xed\xa0"], ["€".encode()]),
        ("�", [b"\xff", "�".encode()], [b"x"]),
        ("^a$", [b"a"], [b"a\n", b"\na", b"a\nb"]),
        ("(?m)^a$", [b"a", b"b\na", b"a\nb"], [b"ab\nba"]),
        (r"\Aa\z", [b"a"], [b"a\n"]),
        (r"(?m)\Aa\z", [b"a"], [b"a\nb"]),
        (r"\ba\b", [b"a", b"x a.y", "éa".encode()], [b"ab", b"_a", b"1a"]),
        (r"\Ba", [b"ba"], [b"a", b" a"]),
        (r"^\d+$", [b"09"], ["٣".encode(), b"1a"]),
        (r"^\w$", [b"_"], ["é".encode(), b"-"]),
        (r"^\W$", ["é".encode(), b"-"], [b"a"]),
        (r"^\s$", [b"\f", b"\t"], [b"\v", "\xa0".encode()]),
        ("^[[:space:]]$", [b"\v"], [b"a"]),
        ("^[[:^alpha:]]$", [b"1", "é".encode()], [b"a"]),
        ("^[^a]$", [b"\n", b"b"], [b"a"]),
        (r"^[\d\-x]$", [b"1", b"-", b"x"], [b"y"]),
        ("^[a-c-]$", [b"b", b"-"], [b"d"]),
        ("^[]^]$", [b"]", b"^"], [b"a"]),
        (r"^\pL\p{Nd}\P{Lu}$", ["é٣a".encode()], ["é٣É".encode(), b"11a"]),
        (r"^\p{^L}$", [b"1"], [b"a"]),
        (r"^\p{Any}$", [b"\n", b"\xff"], [b""]),
        ("(?i)straSSe", ["\u017ftrasse".encode(), b"STRASSE"], ["straße".encode()]),
        ("(?i)^k$", ["\u212a".encode(), b"K"], [b"x"]),
        ("(?i)^\u212a$", [b"k"], [b"x"]),
        ("(?i)^[^k]$", [b"x"], [b"K", "\u212a".encode()]),
        ("(?i)^É$", ["é".encode()], [b"e"]),
        ("(?i)^\u03c3$", ["ς".encode(), "Σ".encode()], ["τ".encode()]),
        ("(?i)^i$", [b"I"], ["\u0131".encode(), "İ".encode()]),
        ("(?i)^ß$", ["ẞ".encode()], [b"ss"]),
        (r"(?i)^\p{Lu}$", [b"a"], [b"1"]),
        ("a(?i)b(?-i:c)d", [b"aBcD"], [b"ABcD", b"aBCD"]),
        ("(?i:a)b", [b"Ab"], [b"aB"]),
        (r"^\Qa.*\Eb$", [b"a.*b"], [b"axb"]),
        (r"^\x41\x{e9}\101\n\a$", ["AéA\n\a".encode()], [b"A"]),
        ("a{2}b{1,2}c{0}d{2,}$", [b"aabdd", b"aabbddd"], [b"abdd", b"aabd", b"aabcdd"]),
        ("a{,2}", [b"a{,2}"], [b"aa"]),
        ("^(|a|bc)+$", [b"", b"abca"], [b"b"]),
        ("^(?:a*)*$", [b"", b"aaa"], [b"b"]),
        ("x*?y", [b"y"], [b"x"]),
        ("", [b"", b"x"], []),
        ("^ab", [b"abc"], [b"xab", b"\nab"]),
        ("ab$", [b"xab", b"\xffab"], [b"abx", b"ab\n"]),
        ("^é$", ["é".encode()], ["éé".encode(), b"\xa9", b""]),
        ("^$", [b""], [b"x", b"\n"]),
        ("^", [b"", b"x"], []),
        ("$$", [b"", b"x"], []),
        ("^^a", [b"ab"], [b"ba"]),
        ("a^", [], [b"a", b"aa"]),
        ("$a", [], [b"a", b"aa"]),
    ],
)
def test_an_expression_matches_what_it_says(text: str, matched: list[bytes], others: list[bytes]) -> None:
    assert Expression(text).matching([*matched, *others]) == matched


EXPRESSIONS = st.recursive(
    st.sampled_from(
        ["a", "b", "é", ".", "[ab]", "[^a]", r"\w", r"\b", r"\B", "^", r"\z", "(?m:^)", "(?i:B)"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, st.lists(st.text(alphabet="abBé_\n ", max_size=8), max_size=4))
def test_expressions_match_as_others_say(text: str, candidates: list[str]) -> None:
    # For `re`, a non-ASCII letter is a word character, and an empty text has no place that is no boundary.
    oracle = re.compile(text.replace(r"\z", r"\Z").replace(r"\B", r"(?!\b)"), re.ASCII)

    found = Expression(text).matching([candidate.encode() for candidate in candidates])

    assert found == [candidate.encode() for candidate in candidates if oracle.search(candidate)]


@pytest.mark.parametrize("text", ["(a*)*b", "(a|a)*b", "(a|aa)+$b", "(a?){50}a{50}b", "(.*)*.*=.*"])
def test_no_expression_takes_longer_than_its_text(text: str) -> None:
    assert not matches(text, b"a" * 20_000)


def test_states_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_MOST_STATES", 50)
    expression = Expression("(a|b)*a(a|b){6}$")
    texts = [f"{number:08b}".translate({48: "a", 49: "b"}).encode() for number in range(256)]

    assert expression.matching(texts) == [text for text in texts if text[1:2] == b"a"]
    kept = len(expression._machine._states)
    assert kept <= 50 + len(texts[0]) + 1
