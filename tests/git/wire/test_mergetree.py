"""Results of merge-tree (diff-conflicts.md 10.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedMerge
from gitaly_py.git.wire.mergetree import Merged, Stage, parse_merge

PATHS = st.binary(min_size=1, max_size=12).map(lambda path: path.replace(b"\0", b"\t"))
STAGES = st.builds(
    Stage,
    st.sampled_from([0o100644, 0o100755, 0o120000, 0o160000]),
    st.text("0123456789abcdef", min_size=40, max_size=40),
    st.integers(1, 3),
    PATHS,
)


@given(
    tree=st.sampled_from(["a" * 40, "0" * 64]),
    stages=st.lists(STAGES, max_size=5),
    messages=st.lists(st.binary(max_size=10), max_size=5),
)
def test_stages_are_told_and_messages_are_not(tree: str, stages: list[Stage], messages: list[bytes]) -> None:
    fields = [b"%06o %s %d\t%s" % (mode, oid.encode(), number, path) for mode, oid, number, path in stages]
    output = b"".join(field + b"\0" for field in (tree.encode(), *fields, b"", *messages))

    assert parse_merge(output) == Merged(tree, stages)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\0",
        b"merge-tree: x - not something we can merge",
        b"a" * 39 + b"\0\0",
        b"a" * 40 + b"\0garbage\0\0",
        b"a" * 40 + b"\0100644 %s 4\tpath\0\0" % (b"1" * 40),
        b"a" * 40 + b"\0100644 %s 1 path\0\0" % (b"1" * 40),
        b"a" * 40 + b"\0100644 %s 1\t\0\0" % (b"1" * 40),
    ],
)
def test_other_output_is_refused(output: bytes) -> None:
    with pytest.raises(MalformedMerge):
        parse_merge(output)
