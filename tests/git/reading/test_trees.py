from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.reading.trees import find_entry
from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat, TreeEntry, parse_tree

formats = pytest.mark.parametrize("object_format", [SHA1, SHA256], ids=lambda each: each.name)
names = st.binary(min_size=1, max_size=4).map(lambda name: name.replace(b"\0", b"\n"))
entries = st.lists(
    st.tuples(
        st.sampled_from([0o100644, 0o40000, 0o160000, 0o100664]), names, st.binary(min_size=32, max_size=32)
    ),
    max_size=8,
)


@formats
@settings(max_examples=60, deadline=None)
@given(entries=entries, other=names)
def test_the_first_entry_of_a_name_is_found(
    object_format: ObjectFormat, entries: list[tuple[int, bytes, bytes]], other: bytes
) -> None:
    raw = b"".join(
        b"%o %s\0%s" % (mode, name, oid[: object_format.raw_length]) for mode, name, oid in entries
    )
    parsed = parse_tree(raw, object_format)

    for name in {other, *(name for _, name, _ in entries)}:
        expected = next((entry for entry in parsed if entry.name == name), None)
        assert find_entry(raw, name, object_format) == expected


def test_a_name_within_an_id_is_no_entry() -> None:
    raw = b"100644 a\0" + b"100644 b\0".ljust(20, b"x") + b"40000 c\0" + bytes(20)

    assert find_entry(raw, b"b", SHA1) is None
    assert find_entry(raw, b"c", SHA1) == TreeEntry(0o40000, b"c", "0" * 40)
