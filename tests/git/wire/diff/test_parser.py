"""The diff parser against the rules taken line by line, and git's own output (diff-conflicts.md 1)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.diff.entries import NOTHING, header_of, parse_entries
from gitaly_py.git.wire.diff.limits import Limits
from gitaly_py.git.wire.diff.parser import DiffParser, FileDiff, PatchParser
from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.quoting import quote
from tests.git.wire.diff.naive import parse as parse_naively
from tests.support.diffs import odd_pair
from tests.support.repositories import Repo

OLD, NEW = b"a" * 40, b"b" * 40


def parsed(pieces: Iterable[bytes], limits: Limits | None = None, **options: bool) -> list[FileDiff]:
    parser = DiffParser(limits or Limits(), **options)
    files = [file for piece in pieces if not parser.done for file in parser.feed(piece)]
    return [*files, *parser.finish()]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Pieces of these sizes, again and again."""
    pieces = []
    at = number = 0
    while at < len(data):
        size = sizes[number % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
        number += 1
    return pieces


def raw(path: bytes, status: bytes = b"M", modes: bytes = b"100644 100644") -> bytes:
    return b":%s %s %s %s\t%s\n" % (modes, OLD, NEW, status, quote(path))


paths = st.sampled_from(
    [
        b"a",
        b"a b/a",
        b"x b/y",
        b"dir/test.md.txt",
        b"Dockerfile",
        b".gitignore",
        b"t\tab",
        b"n\nl",
        b"\xff",
        b'"q"',
    ]
)
body_lines = st.sampled_from(
    [
        b"@@ -1,2 +3,4 @@ def f():\n",
        b"@@\n",
        b"+added\n",
        b"-removed\n",
        b" context\n",
        b" \n",
        b"+\n",
        b"--- a/x\n",
        b"+++ b/x\n",
        b"\\ No newline at end of file\n",
        b"Binary files a/x and b/x differ\n",
        b"~\n",
        b"~ dropped\n",
        b"unknown\n",
        b"\n",
    ]
)
long_lines = st.sampled_from([b"+", b"-", b" "]).map(lambda sign: sign + b"long" * 17_000 + b"\n")
headers = st.sampled_from(
    [
        [],
        [b"old mode 100644\n", b"new mode 100755\n"],
        [b"index 1111111..2222222 100644\n", b"--- a/x\n", b"+++ b/x\n"],
    ]
)


@st.composite
def outputs(draw: st.DrawFn, lines_of_patches: st.SearchStrategy[bytes]) -> bytes:
    """What git could print, and some of what it can't."""
    lines, patch = b"", b""
    for path in draw(st.lists(paths, max_size=8)):
        status = draw(st.sampled_from([b"M", b"A", b"D", b"T"]))
        lines += raw(path, status)
        for _ in range(2 if status == b"T" else 1):
            if draw(st.booleans()):
                patch += header_of(path) + b"\n" + b"".join(draw(headers))
                patch += b"".join(draw(st.lists(lines_of_patches, max_size=8)))
    if patch and draw(st.booleans()) and draw(st.booleans()):
        patch = patch.removesuffix(b"\n")
    return lines + (b"\n" + patch if patch else b"")


def limits(sizes: st.SearchStrategy[int]) -> st.SearchStrategy[Limits]:
    """Limits that outputs may reach. sizes: of patches."""
    files, lines = st.integers(0, 8), st.integers(0, 20)
    return st.builds(
        Limits,
        enforce=st.booleans(),
        collapse=st.booleans(),
        collect_all_paths=st.booleans(),
        max_files=files,
        max_lines=lines,
        max_bytes=sizes,
        max_patch_bytes=sizes,
        safe_max_files=files,
        safe_max_lines=lines,
        safe_max_bytes=sizes,
        by_extension=st.dictionaries(
            st.sampled_from([b".txt", b"Dockerfile", b".gitignore", b"a", b".md"]), sizes, max_size=3
        ),
    )


@settings(max_examples=200, deadline=None)
@given(outputs(body_lines), limits(st.integers(0, 150)), st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_what_is_parsed_follows_the_rules_wherever_the_output_is_cut(
    output: bytes, limits: Limits, sizes: list[int]
) -> None:
    assert parsed(cut(output, sizes), limits) == parse_naively(output, limits)


@settings(max_examples=30, deadline=None)
@given(
    outputs(body_lines | long_lines),
    limits(st.sampled_from([10, 68_000, 68_100, 200_000])),
    st.lists(st.integers(100, 90_000), min_size=1, max_size=4),
)
def test_long_lines_follow_the_rules_too(output: bytes, limits: Limits, sizes: list[int]) -> None:
    assert parsed(cut(output, sizes), limits) == parse_naively(output, limits)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    repo = Repo.init(tmp_path_factory.mktemp("parser") / "r.git")
    odd_pair(repo)
    return repo


@pytest.mark.parametrize("mode", ["--patch", "--word-diff=porcelain", "-w", "-U0", "-U1000"])
def test_what_git_prints_is_parsed_by_the_rules_wherever_it_is_cut(repo: Repo, mode: str) -> None:
    output = repo.git_bytes(
        "diff", "--raw", "--patch", mode, "--abbrev=40", "--find-renames=30%", "left", "right"
    )

    expected = parse_naively(output, Limits())
    assert len(expected) > 40
    assert sum(bool(file.patch) for file in expected) > 30
    for sizes in ([len(output)], [4096], [65_537, 3], [977]):
        assert parsed(cut(output, sizes)) == expected
    tail = output[-20_000:]
    assert parsed([output[:-20_000], *cut(tail, [1])]) == expected


def test_a_path_with_a_blank_and_b_does_not_cost_the_others_their_patches() -> None:
    output = raw(b"x b/y") + raw(b"z") + b"\n"
    output += b"diff --git a/x b/y b/x b/y\n@@ -1 +1 @@\n+1\ndiff --git a/z b/z\n@@ -1 +1 @@\n+2\n"

    assert [file.patch for file in parsed([output])] == [b"@@ -1 +1 @@\n+1\n", b"@@ -1 +1 @@\n+2\n"]


def test_the_patch_of_an_only_file_may_have_any_header() -> None:
    patch = b"diff --git a/one b/two\n--- a/one\n+++ b/two\n@@ -1 +1 @@\n-1\n+2\n"

    [file] = parsed([raw(b"one"), b"\n", patch])

    assert (file.patch, file.lines_added, file.lines_removed) == (b"@@ -1 +1 @@\n-1\n+2\n", 1, 1)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (raw(b"a") + b"\nno header\n", "parse failure: diff header regexp mismatch"),
        (
            raw(b"a") + raw(b"b") + b"\ndiff --git a/c b/c\n",
            "parse failure: patch of a file without a raw line",
        ),
        (b"::100644 100644 100644 a b c MM\tpath\n", "parse failure: raw line regexp mismatch"),
        (
            raw(b"a").replace(b"M\t", b"R100\t"),
            "parse failure: raw line with a wrong number of paths for status R",
        ),
    ],
)
def test_output_that_is_no_diff_is_an_error(output: bytes, text: str) -> None:
    with pytest.raises(MalformedDiff) as raised:
        parsed([output])
    assert str(raised.value) == text


def test_files_without_a_patch_are_left_out_where_only_white_space_differs() -> None:
    output = raw(b"a") + raw(b"b", modes=b"100644 100755") + raw(b"c", b"A") + raw(b"d") + b"\n"
    output += b"diff --git a/d b/d\n@@ -1 +1 @@\n+1\n"

    assert [file.entry.to_path for file in parsed([output], drop_unpatched=True)] == [b"b", b"c", b"d"]
    limits = Limits(enforce=True, max_files=3)
    assert not any(file.overflow for file in parsed([output], limits, drop_unpatched=True))
    assert parsed([output], limits)[-1] == FileDiff(NOTHING, overflow=True)


def test_nothing_follows_the_limit_that_ends_a_diff() -> None:
    parser = DiffParser(Limits(enforce=True, max_files=1))
    lines = raw(b"a") + raw(b"b") + raw(b"c") + b"\n"
    patches = b"".join(header_of(path) + b"\n@@ -1 +1 @@\n+1\n" for path in (b"a", b"b", b"c"))

    files = list(parser.feed(lines + patches))

    assert [file.overflow for file in files] == [False, True]
    assert parser.done
    assert list(parser.feed(b"rubbish\n")) == list(parser.finish()) == []


def test_a_patch_that_was_not_kept_gives_nothing_back() -> None:
    lines = raw(b"a") + raw(b"b") + b"\n"
    patches = b"".join(header_of(path) + b"\n@@ -1 +1 @@\n+1\n" for path in (b"a", b"b"))
    limits = Limits(
        enforce=True, collapse=True, collect_all_paths=True, max_bytes=len(b"+1\n"), safe_max_files=1
    )

    first, second = parsed([lines + patches], limits)

    assert (first.collapsed, first.overflow, second.collapsed, second.overflow) == (False, True, True, True)


@pytest.mark.parametrize(
    ("piece", "lines"),
    [((b"+" + b"x" * 999 + b"\n") * 100, 20_000), (b"+" + b"x" * 99_999, 1)],
    ids=["lines", "line"],
)
@pytest.mark.parametrize(
    "limits",
    [
        Limits(enforce=True, max_patch_bytes=100_000),
        Limits(enforce=True, max_lines=50, max_bytes=100_000, collect_all_paths=True),
        Limits(collapse=True, safe_max_lines=0),
    ],
    ids=["too large", "overflow", "collapsed"],
)
def test_a_patch_that_is_left_out_takes_no_memory(piece: bytes, lines: int, limits: Limits) -> None:
    (entry,) = parse_entries(raw(b"a"))
    parser = PatchParser(iter([entry]), limits)
    tracemalloc.start()
    try:
        list(parser.feed(entry.header + b"\n@@ -0,0 +1 @@\n"))
        for _ in range(200):
            assert list(parser.feed(piece)) == []
        [file] = parser.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (file.patch, file.lines_added) == (b"", lines)
    assert file.patch_size == len(b"@@ -0,0 +1 @@\n") + 200 * len(piece)
    assert peak < 2_000_000


def test_many_files_take_no_more_memory_than_their_raw_lines() -> None:
    parser = DiffParser(Limits())
    block = b"@@ -0,0 +1,100 @@\n" + b"+some line of text\n" * 100
    tracemalloc.start()
    try:
        for number in range(2000):
            list(parser.feed(raw(b"%05d" % number)))
        list(parser.feed(b"\n"))
        count = size = 0
        for number in range(2000):
            for file in parser.feed(header_of(b"%05d" % number) + b"\n" + block):
                count += 1
                size += len(file.patch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (count, size) == (1999, 1999 * len(block))
    assert peak < 1_500_000
