"""The encoded blobs and pointers are what a real message holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.batch import Sizes
from gitaly_py.pb.blob_pb2 import LFSPointer, ListBlobsResponse
from gitaly_py.services.blob.encoding import BlobEncoder, encoded_pointers
from tests.support.blobs import LFS_VERSION

Blob = ListBlobsResponse.Blob
data = st.binary(max_size=40) | st.sampled_from([127, 128, 3000, 70_000, 131_072]).map(lambda n: b"x" * n)
paths = st.binary(max_size=200) | st.sampled_from([2040, 4096, 300_000]).map(lambda n: b"p" * n)
sizes = st.integers(0, 300) | st.integers(0, 2**62)


def decoded(pieces: list[bytes]) -> list[Blob]:
    assert all(pieces)
    assert max(map(len, pieces), default=0) <= 700_000
    return list(ListBlobsResponse.FromString(b"".join(pieces)).blobs)


@pytest.mark.parametrize("hex_length", [40, 64])
@pytest.mark.parametrize("with_paths", [False, True])
@settings(max_examples=40, deadline=None)
@given(entries=st.lists(st.tuples(sizes, data, paths, st.booleans()), max_size=8))
def test_encoded_contents_are_parsed_back(
    hex_length: int, with_paths: bool, entries: list[tuple[int, bytes, bytes, bool]]
) -> None:
    oid = "1" * hex_length
    parts = []
    expected = []
    for size, content, path, goes_on in entries:
        shown = path if with_paths else b""
        parts.append((oid.encode(), size, content))
        expected.append(Blob(oid=oid, size=size, data=content, path=shown))
        if goes_on:
            parts.append((b"", 0, b"more"))
            expected.append(Blob(data=b"more", path=shown))
    encoder = BlobEncoder(hex_length, iter([path for _, _, path, _ in entries]) if with_paths else None)

    half = len(parts) // 2
    pieces = [*encoder.contents(parts[:half]), *encoder.contents(parts[half:])]

    assert decoded(pieces) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"1" * 40, b"2" * 64]),
            st.integers(0, 300) | st.integers(0, 2**63 - 1),
            st.sampled_from([b"", b"\n", b"\nx", b"\n" + b"#" * 50]),
        ),
        max_size=5,
    )
)
def test_encoded_pointers_are_parsed_back(entries: list[tuple[bytes, int, bytes]]) -> None:
    blobs = []
    expected = []
    for oid, size, end in entries:
        data = LFS_VERSION + b"oid sha256:%064x\nsize %d%b" % (size, size, end)
        blobs += [(oid, data), (oid, data[1:])]
        file_oid = b"%064x" % size
        expected.append(
            LFSPointer(size=len(data), data=data, oid=oid.decode(), file_oid=file_oid, file_size=size)
        )

    assert [LFSPointer.FromString(encoded) for encoded in encoded_pointers(blobs)] == expected


@pytest.mark.parametrize("with_paths", [False, True])
@settings(max_examples=40, deadline=None)
@given(entries=st.lists(st.tuples(sizes, paths), max_size=8), repeat=st.sampled_from([1, 100]))
def test_encoded_sizes_are_parsed_back(
    with_paths: bool, entries: list[tuple[int, bytes]], repeat: int
) -> None:
    entries = [(size, path[:5000]) for size, path in entries] * repeat
    oid = "1" * 40
    encoder = BlobEncoder(40, iter([path for _, path in entries]) if with_paths else None)

    pieces = list(encoder.sizes(Sizes([oid.encode()] * len(entries), [b"%d" % size for size, _ in entries])))

    assert decoded(pieces) == [
        Blob(oid=oid, size=size, path=path if with_paths else b"") for size, path in entries
    ]
