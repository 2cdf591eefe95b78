"""Object ids of requests (ref-blob.md 2.3)."""

from __future__ import annotations

import pytest

from gitaly_py.git.wire.errors import InvalidObjectId
from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat
from gitaly_py.git.wire.oids import is_oid, parse_oid


@pytest.mark.parametrize("object_format", [SHA1, SHA256], ids=lambda each: each.name)
def test_full_lower_case_ids_are_accepted(object_format: ObjectFormat) -> None:
    value = b"0123456789abcdef" * (object_format.hex_length // 8)
    value = value[: object_format.hex_length]
    assert parse_oid(value, object_format) == value.decode()
    assert is_oid(value, object_format)
    assert not is_oid(value[1:], object_format)
    assert not is_oid(b"A" + value[1:], object_format)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"1234567", 'invalid object ID: "1234567", expected length 40, got 7'),
        ("é".encode(), 'invalid object ID: "é", expected length 40, got 2'),
        (b"0" * 39 + b"G", f"invalid object ID: \"{'0' * 39}G\", invalid character 'G'"),
        (b"A" * 40, f"invalid object ID: \"{'A' * 40}\", invalid character 'A'"),
        (b"0" * 38 + "é".encode(), f"invalid object ID: \"{'0' * 38}é\", invalid character 'é'"),
        (b"0" * 39 + b"\n", f"invalid object ID: \"{'0' * 39}\\n\", invalid character '\\n'"),
    ],
    ids=ascii,
)
def test_other_ids_are_refused(value: bytes, text: str) -> None:
    with pytest.raises(InvalidObjectId) as caught:
        parse_oid(value, SHA1)
    assert str(caught.value) == text
