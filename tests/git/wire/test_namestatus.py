"""What diff-tree says of each commit is read as it comes, in whatever pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedOutput
from gitaly_py.git.wire.namestatus import SYNC, Comparison, NameStatus
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo

OID = b"0123456789abcdef0123456789abcdef01234567"
names = st.one_of(
    st.binary(min_size=1, max_size=5).map(lambda name: name.replace(b"\0", b"x")),
    st.sampled_from([b"M", b"\n", OID, b"\n" + OID, b"A\tb"]),
)
comparisons = st.lists(
    st.tuples(
        st.booleans(), st.lists(st.tuples(st.sampled_from([b"M", b"A", b"D", b"T"]), names), max_size=3)
    ),
    max_size=6,
)


def parsed(output: bytes, cuts: list[int]) -> list[Comparison]:
    """The comparisons in the output, given to the parser in pieces of as many tokens as `cuts` says."""
    parser = NameStatus()
    *tokens, rest = output.split(b"\0")
    tokens += [rest] if rest else []
    found: list[Comparison] = []
    for size in cuts:
        found += parser.feed(tokens[:size])
        tokens = tokens[size:]
    return [*found, *parser.feed(tokens), *parser.end()]


@settings(max_examples=200)
@given(comparisons, st.lists(st.integers(0, 4), max_size=8), st.booleans())
def test_any_names_in_any_pieces_are_read(
    expected: list[tuple[bool, list[tuple[bytes, bytes]]]], cuts: list[int], ended: bool
) -> None:
    output = b""
    for number, (synced, changed) in enumerate(expected):
        output += SYNC if synced else b""
        output += b"%040x\0" % number
        output += b"".join(status + b"\0" + name + b"\0" for status, name in changed)
    output += SYNC if ended else b""

    assert parsed(output, cuts) == [
        Comparison(b"%040x" % number, [name for _, name in changed])
        for number, (_, changed) in enumerate(expected)
    ]


def test_a_comparison_is_whole_when_the_next_one_begins() -> None:
    parser = NameStatus()

    assert parser.feed([OID, b"M", b"a"]) == []
    assert parser.feed([SYNC + OID]) == [Comparison(OID, [b"a"])]
    assert parser.end() == [Comparison(OID, [])]


@pytest.mark.parametrize("output", [b"M\0a\0", OID + b"\0M", OID + b"\0M\0"])
def test_what_begins_or_ends_in_the_middle_is_refused(output: bytes) -> None:
    with pytest.raises(MalformedOutput):
        parsed(output, [])


def test_git_says_it_so(any_format_repo: Repo, new_repo: NewRepo) -> None:
    repo = any_format_repo
    first = repo.commit("1\n", {"a": b"1", "b": b"1", "d/e": b"1"})
    files = {"a": b"2", "b": ("120000", b"1"), "d/e": b"1", first: b"1", "\n": b"1"}
    second = repo.commit("2\n", files, [first])
    third = repo.commit("3\n", files, [second])
    edges = [(second, first), (third, second), (third, first)]
    lines = b"".join(f"{commit} {parent}\n".encode() + SYNC for commit, parent in edges)

    output = repo.git_bytes("diff-tree", "--stdin", "--always", "--name-status", "-z", stdin=lines)

    changed = sorted([b"\n", first.encode(), b"a", b"b"])
    assert parsed(output, []) == [
        Comparison(second.encode(), changed),
        Comparison(third.encode(), []),
        Comparison(third.encode(), changed),
    ]
