"""Encoded tree entries are the messages they stand for (commit.md 3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.objects import OBJECT_FORMATS
from gitaly_py.pb.commit_pb2 import GetTreeEntriesResponse
from gitaly_py.services.commit.tree_records import Encoder, records_of

names = st.one_of(
    st.binary(min_size=1, max_size=300).map(lambda name: name.replace(b"\0", b"x")),
    st.integers(120, 3000).map(lambda size: b"n" * size),
)
modes = st.sampled_from([0o100644, 0o100755, 0o120000, 0o40000, 0o160000])


@settings(max_examples=100, deadline=None)
@given(
    entries=st.lists(st.tuples(modes, names), max_size=20),
    prefix=st.sampled_from([b"", b"dir/", b"d" * 200 + b"/"]),
    name=st.sampled_from(["sha1", "sha256"]),
)
def test_bulk_encoding_equals_one_message_an_entry(
    entries: list[tuple[int, bytes]], prefix: bytes, name: str
) -> None:
    object_format = OBJECT_FORMATS[name]
    oid = bytes(range(object_format.raw_length))
    tree = b"".join(b"%o %s\0%s" % (mode, path, oid) for mode, path in entries)
    encoder = Encoder(object_format, prefix, "main")

    records = records_of(tree, object_format)
    decoded = GetTreeEntriesResponse.FromString(encoder.encoded(records)).entries
    singly = [encoder.entry(record) for record in records]

    assert [(entry.mode, entry.path, entry.oid) for entry in decoded] == [
        (mode, prefix + path, oid.hex()) for mode, path in entries
    ]
    for entry in singly:
        assert entry.flat_path == entry.path
        entry.ClearField("flat_path")
    assert singly == list(decoded)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("100664", "100644 blob"),
        ("100600", "100644 blob"),
        ("100711", "100755 blob"),
        ("120777", "120000 blob"),
        ("40755", "040000 tree"),
        ("10", "160000 commit"),
    ],
)
def test_odd_modes_become_canonical(stored: str, shown: str) -> None:
    tree = stored.encode() + b" name\0" + bytes(20)

    assert records_of(tree, OBJECT_FORMATS["sha1"])[0].startswith(shown.encode())
