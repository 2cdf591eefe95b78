"""The encoded references are what a real message holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.pb.ref_pb2 import ListRefsResponse
from gitaly_py.services.ref.encoding import ReferenceEncoder

Reference = ListRefsResponse.Reference
names = st.binary(max_size=300) | st.integers(1000, 40_000).map(lambda size: b"x" * size)


@pytest.mark.parametrize("hex_length", [40, 64])
@settings(max_examples=50, deadline=None)
@given(entries=st.lists(st.tuples(names, st.booleans()), max_size=5))
def test_encoded_references_are_parsed_back(hex_length: int, entries: list[tuple[bytes, bool]]) -> None:
    oid, final = "1" * hex_length, "2" * hex_length

    encoded = ReferenceEncoder(hex_length).encode(
        [name for name, _ in entries],
        [oid for _ in entries],
        [final if is_tag else oid for _, is_tag in entries],
    )

    assert list(ListRefsResponse.FromString(encoded).references) == [
        Reference(name=name, target=oid, peeled_target=final if is_tag else "") for name, is_tag in entries
    ]
