"""Records of git log (commit.md 2, 3.2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedRecord
from gitaly_py.git.wire.log import (
    SEPARATOR,
    LogRecord,
    Stat,
    parse_decoration,
    parse_record,
    parse_shortstat,
    record_format,
)
from tests.support.repositories import Repo

text = st.binary(max_size=20).map(lambda each: each.replace(b"\0", b"").strip().replace(b":", b""))
ref = st.sampled_from([b"HEAD", b"refs/heads/a,b", b"refs/heads/\xff", b"refs/tags/tag"])


@given(
    st.lists(st.tuples(text.filter(bool), text), max_size=5),
    st.lists(ref, max_size=4),
    st.one_of(st.none(), st.builds(Stat, *[st.integers(0, 10**9)] * 3)),
)
def test_what_git_prints_of_a_commit_is_found_again(
    trailers: list[tuple[bytes, bytes]], references: list[bytes], stat: Stat | None
) -> None:
    record = b"ab" + b"".join(b"\0T%b: %b" % each for each in trailers) + b"\0R" + b", ".join(references)
    record += b"\0E\n"
    if stat is not None:
        record += b"\n %d files changed, %d insertions(+), %d deletions(-)\n" % stat

    assert parse_record(record) == LogRecord(b"ab", trailers, references, stat)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    try:
        record = parse_record(data)
    except MalformedRecord:
        assert b"\0E" not in data
    else:
        assert record.oid == data.partition(b"\0")[0]


@pytest.mark.parametrize(
    ("printed", "stat"),
    [
        (b"\n 1 file changed, 1 insertion(+)\n", Stat(1, 1, 0)),
        (b"\n\n 2 files changed, 1 deletion(-)\n", Stat(2, 0, 1)),
        (b" 12 files changed, 34 insertions(+), 56 deletions(-)\n", Stat(12, 34, 56)),
        (b" 1 file changed, 0 insertions(+), 0 deletions(-)", Stat(1, 0, 0)),
        (b" 1 file changed\n", Stat(1, 0, 0)),
        (b"\n", None),
        (b"", None),
        (b"x 1 file changed\n", None),
    ],
)
def test_statistics_are_read(printed: bytes, stat: Stat | None) -> None:
    assert parse_shortstat(printed) == stat


@pytest.mark.parametrize(
    ("printed", "names"),
    [
        (b"", []),
        (b"HEAD", [b"HEAD"]),
        (b"HEAD -> refs/heads/x, tag: refs/tags/v", [b"HEAD", b"refs/heads/x", b"refs/tags/v"]),
        (b"refs/heads/a,b, refs/heads/tag", [b"refs/heads/a,b", b"refs/heads/tag"]),
    ],
)
def test_decorations_are_references(printed: bytes, names: list[bytes]) -> None:
    assert parse_decoration(printed) == names


def test_a_message_cannot_pretend_to_be_a_record(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    forged = "A: b\nC" + "1" * 40 + "\nE\n\x01C: x\n"
    oids = [repo.commit(f"s\n\nb\n\nSigned-off-by: x\n{forged}", {"f": b"1\n"}, ref="refs/heads/main")]
    oids.append(repo.commit(b"cut\0C" + b"1" * 40, {"f": b"2\n"}, oids, ref="refs/heads/main"))

    wanted = record_format(trailers=True, references=True)
    printed = repo.git_bytes("log", "--reverse", "--shortstat", f"--format={wanted}", "main")
    nothing, *records = printed.split(SEPARATOR)

    assert nothing == b""
    assert [parse_record(record).oid.decode() for record in records] == oids
    assert (b"A", b"b") in parse_record(records[0]).trailers
    assert parse_record(records[1]).stat == Stat(1, 1, 1)
