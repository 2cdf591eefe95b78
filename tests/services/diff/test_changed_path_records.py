"""Diff records as messages (diff-conflicts.md 6.4)."""

from __future__ import annotations

import pytest

from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat
from gitaly_py.pb.diff_pb2 import ChangedPaths, FindChangedPathsResponse
from gitaly_py.services.diff.changed_path_records import Encoder

COMMIT = b"c" * 40


def meta(status: bytes, digits: int = 40) -> bytes:
    return b":100644 100755 %s %s %s" % (b"1" * digits, b"2" * digits, status)


@pytest.mark.parametrize("object_format", [SHA1, SHA256], ids=["sha1", "sha256"])
@pytest.mark.parametrize("length", [1, 60, 127, 128, 2047, 2048, 20_000])
def test_lengths_of_paths_are_encoded_rightly(object_format: ObjectFormat, length: int) -> None:
    digits = object_format.hex_length
    encoder = Encoder(object_format, with_commits=True)
    path = b"p" * length
    fields = [b"c" * digits, meta(b"M", digits), path, meta(b"R100", digits), b"s" * length, path]

    pieces = [piece.data for piece in encoder.encoded(fields)]

    plain, renamed = FindChangedPathsResponse.FromString(b"".join(pieces)).paths
    expected = ChangedPaths(
        path=path,
        status=ChangedPaths.MODIFIED,
        old_mode=0o100644,
        new_mode=0o100755,
        old_blob_id="1" * digits,
        new_blob_id="2" * digits,
        commit_id="c" * digits,
    )
    assert plain == expected
    expected.MergeFrom(ChangedPaths(status=ChangedPaths.RENAMED, old_path=b"s" * length))
    assert renamed == expected


@pytest.mark.parametrize(
    "fields", [[meta(b"M"), b"path"], [COMMIT, meta(b"X"), b"path"], [COMMIT, b"::" + meta(b"M"), b"path"]]
)
def test_what_git_does_not_print_is_refused(fields: list[bytes]) -> None:
    with pytest.raises(MalformedDiff):
        list(Encoder(SHA1, with_commits=True).encoded(fields))
