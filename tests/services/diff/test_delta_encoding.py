"""CommitDelta messages of raw lines (diff-conflicts.md 3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.diff.entries import parse_entries
from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat
from gitaly_py.git.wire.quoting import quote
from gitaly_py.pb.diff_pb2 import CommitDelta, CommitDeltaResponse
from gitaly_py.services.diff.delta_encoding import Batches

paths = st.binary(min_size=1, max_size=300).map(lambda path: path.replace(b"\0", b"x"))


@st.composite
def raw_lines(draw: st.DrawFn, object_format: ObjectFormat) -> bytes:
    modes = draw(st.sampled_from([b"100644 100755", b"000000 160000", b"120000 100644"]))
    status = draw(st.sampled_from([b"A", b"D", b"M", b"T", b"R090", b"C100"]))
    named = [quote(draw(paths))]
    if status[:1] in b"RC":
        named.append(quote(draw(paths)))
    old, new = (draw(st.sampled_from(b"0a")).to_bytes() * object_format.hex_length for _ in range(2))
    return b":%s %s %s %s\t%s\n" % (modes, old, new, status, b"\t".join(named))


@pytest.mark.parametrize("object_format", [SHA1, SHA256], ids=lambda each: each.name)
@given(st.data(), st.integers(1, 2000))
def test_deltas_say_what_the_lines_say_wherever_they_are_cut(
    object_format: ObjectFormat, data: st.DataObject, size: int
) -> None:
    lines = b"".join(data.draw(st.lists(raw_lines(object_format), max_size=40)))
    batches = Batches(object_format)
    pieces = [lines[at : at + size] for at in range(0, len(lines), size)]
    messages = [message for piece in pieces for message in batches.feed(piece)]
    messages += batches.finish()
    decoded = [CommitDeltaResponse.FromString(message.data) for message in messages]

    assert [delta for message in decoded for delta in message.deltas] == [
        CommitDelta(
            from_path=entry.from_path,
            to_path=entry.to_path,
            from_id=entry.from_id,
            to_id=entry.to_id,
            old_mode=entry.old_mode,
            new_mode=entry.new_mode,
        )
        for entry in parse_entries(lines)
    ]


def test_what_is_no_raw_line_is_an_error() -> None:
    batches = Batches(SHA1)

    with pytest.raises(MalformedDiff):
        list(batches.feed(b"nothing\n"))
    assert list(batches.feed(b":100644")) == []
    with pytest.raises(MalformedDiff):
        list(batches.finish())
