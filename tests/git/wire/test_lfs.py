"""What counts as an LFS pointer (ref-blob.md 6.5)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.lfs import LfsPointer, parse_pointer

VERSION = b"version https://git-lfs.github.com/spec/v1\n"
OID = b"0123456789abcdef" * 4
POINTER = VERSION + b"oid sha256:" + OID + b"\nsize 31415\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(POINTER, id="as clients write it"),
        pytest.param(POINTER.removesuffix(b"\n"), id="no line end at the end"),
        pytest.param(VERSION + b"size 31415\noid sha256:" + OID, id="other order"),
        pytest.param(POINTER.replace(b"/v1", b"-of-tomorrow"), id="any version"),
        pytest.param(POINTER.replace(b"oid", b"ext-0-x sha256:0\noid"), id="further lines"),
        pytest.param(POINTER.replace(b"size ", b"size 000"), id="leading zeros"),
        pytest.param(POINTER + b"oid sha256:" + b"f" * 64 + b"\nsize 1\n", id="the first line counts"),
    ],
)
def test_a_pointer_is_parsed(data: bytes) -> None:
    assert parse_pointer(data) == LfsPointer(OID, 31415)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n" + POINTER, id="does not begin with the version"),
        pytest.param(POINTER.replace(b"git-lfs.github.com", b"hawser.github.com"), id="former name"),
        pytest.param(VERSION + b"size 31415\n", id="no oid"),
        pytest.param(VERSION + b"oid sha256:" + OID + b"\n", id="no size"),
        pytest.param(POINTER.replace(OID, OID.upper()), id="capitals"),
        pytest.param(POINTER.replace(OID, OID[1:]), id="short oid"),
        pytest.param(POINTER.replace(OID, OID + b"0"), id="long oid"),
        pytest.param(POINTER.replace(b"\n", b"\r\n"), id="CR"),
        pytest.param(POINTER.replace(b"size ", b"size -"), id="negative size"),
        pytest.param(POINTER.replace(b"31415", b"9223372036854775808"), id="size of more than 63 bits"),
        pytest.param(POINTER.replace(b"31415", b"9" * 5000), id="endless size"),
        pytest.param(POINTER.replace(b"size", b" size"), id="indented"),
    ],
)
def test_anything_else_is_no_pointer(data: bytes) -> None:
    assert parse_pointer(data) is None


def test_the_largest_size_fits() -> None:
    assert parse_pointer(POINTER.replace(b"31415", b"9223372036854775807")) == LfsPointer(OID, 2**63 - 1)


@settings(max_examples=100)
@given(oid=st.binary(min_size=32, max_size=32), size=st.integers(0, 2**63 - 1), more=st.binary(max_size=40))
def test_what_follows_a_pointer_does_not_change_it(oid: bytes, size: int, more: bytes) -> None:
    digits = oid.hex().encode()
    data = VERSION + b"oid sha256:" + digits + b"\nsize %d\n" % size + more

    assert parse_pointer(data) == LfsPointer(digits, size)


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_no_bytes_are_an_error(tail: bytes) -> None:
    parse_pointer(VERSION + tail)
