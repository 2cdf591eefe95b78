"""Groups of lines in the output of `git grep`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.grep import MatchSplitter

LINES = st.lists(st.sampled_from([b"", b"x", b"-", b"---", b" --", b"long line"]), min_size=1, max_size=6)


@given(st.lists(LINES, max_size=5), st.lists(st.integers(1, 9)), st.integers(1, 8))
def test_groups_are_the_same_however_the_output_arrives(
    groups: list[list[bytes]], cuts: list[int], size: int
) -> None:
    texts = [b"".join(line + b"\n" for line in lines) for lines in groups]
    output = b"--\n".join(texts)
    splitter = MatchSplitter(size)
    events: list[bytes | None] = []
    for cut in cuts:
        events += splitter.feed(output[:cut])
        output = output[cut:]
    events += splitter.feed(output)
    events += splitter.end()

    expected: list[bytes | None] = []
    for text in texts:
        expected += [text[begin : begin + size] for begin in range(0, len(text), size)]
        expected.append(None)
    assert events == expected


def test_a_group_is_given_before_it_ends() -> None:
    splitter = MatchSplitter(4)

    assert list(splitter.feed(b"123456789")) == [b"1234"]
    assert list(splitter.feed(b"\n--\nnext\n")) == [b"5678", b"9\n", None]
    assert list(splitter.end()) == [b"next", b"\n", None]
