from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.matching import Patterns, matching
from gitaly_py.git.reading.refs import FileReferences
from tests.support.repositories import Repo

NAMES = [
    b"refs/heads/a",
    b"refs/heads/a-b",
    b"refs/heads/dir/x",
    b"refs/heads/dir/y/z",
    b"refs/heads/main",
    b"refs/heads/UPPER",
    b"refs/tags/main",
    b"refs/tags/v1.0",
    b"refs/remotes/o/main",
    b"refs/keep",
]

SETS: list[list[bytes]] = [
    [],
    [b"refs/heads"],
    [b"refs/heads/"],
    [b"refs/heads/d"],
    [b"refs/heads/dir"],
    [b"refs/heads/main/"],
    [b"refs/heads/main"],
    [b"main"],
    [b"**/main"],
    [b"refs/heads/*"],
    [b"refs/heads/**"],
    [b"refs/*/main"],
    [b"refs/heads/a", b"refs/heads/a-b", b"refs/heads/a/"],
    [b"refs/heads/main", b"refs/heads", b"refs/tags/v*"],
    [b"refs/heads/[am]*", b"refs/heads/main", b"refs/"],
    [b"refs"],
    [b"HEAD"],
    [b"refs/heads/m?in"],
    [b"*"],
    [b"refs/heads/dir/*", b"refs/heads/dir"],
    [b"refs/heads/DIR"],
    [b"refs/heads/DIR/*"],
    [b"refs/heads/upper"],
]


@pytest.fixture
def repo(repo: Repo) -> Repo:
    oid = repo.commit(files={})
    for number, name in enumerate(NAMES):
        repo.ref(name, oid)
        if number == 6:
            repo.git("pack-refs", "--all")
    return repo


async def found(reader: Reader | FileReferences, patterns: Patterns, **options: object) -> list[bytes]:
    return [name async for batch in matching(reader, patterns, **options) for name in batch.names]


@pytest.mark.parametrize("ignore_case", [False, True])
async def test_patterns_match_what_for_each_ref_lists(reader: Reader, repo: Repo, ignore_case: bool) -> None:
    flags = ["--ignore-case"] if ignore_case else []
    for patterns in SETS:
        expected = sorted(
            repo.git_bytes("for-each-ref", "--format=%(refname)", *flags, *patterns).splitlines()
        )
        compiled = Patterns(patterns, ignore_case=ignore_case)

        assert await found(reader, compiled) == expected, patterns
        assert await found(reader, compiled, descending=True) == expected[::-1], patterns
        assert [name for name in sorted(NAMES) if compiled.matches(name)] == expected, patterns


many = st.lists(
    st.sampled_from(
        [b"refs/", b"refs/a", b"refs/a/", b"refs/a/b", b"refs/b/", b"ref", b"", b"/", b"refs/a*", b"a"]
    ),
    min_size=1,
    max_size=6,
)


@given(many, st.lists(st.text("ab/", min_size=1, max_size=5), min_size=1, max_size=8))
def test_many_patterns_match_what_each_of_them_matches(patterns: list[bytes], texts: list[str]) -> None:
    others = [b"refs/other-%d" % number for number in range(20)]
    names = [b"refs/" + text.encode() for text in texts] + others[:1]
    each_alone = [Patterns([pattern]) for pattern in patterns]

    expected = [any(alone.matches(name) for alone in each_alone) for name in names]

    assert Patterns([*patterns, *others]).select(names) == [*expected[:-1], True]


async def test_exclusion_uses_the_same_rules(reader: Reader) -> None:
    patterns = Patterns(
        [b"refs/heads", b"refs/tags"], exclude=[b"refs/heads/dir", b"refs/heads/a*", b"refs/other"]
    )

    assert await found(reader, patterns) == [
        b"refs/heads/UPPER",
        b"refs/heads/main",
        b"refs/tags/main",
        b"refs/tags/v1.0",
    ]
    assert await found(reader, Patterns([b"refs/heads/main"], exclude=[b"refs/heads/m*"])) == []


async def test_a_page_begins_beyond_a_name_in_any_span(reader: Reader) -> None:
    patterns = Patterns([b"refs/heads/a", b"refs/heads/dir", b"refs/tags/v*"])
    whole = await found(reader, patterns)

    for at, name in enumerate(whole):
        assert await found(reader, patterns, after=name) == whole[at + 1 :]
        assert await found(reader, patterns, after=name, descending=True) == whole[:at][::-1]


pattern = st.text("abc/*?[]!-\\", max_size=6).map(lambda text: b"refs/" + text.encode())


@settings(max_examples=60, deadline=None)
@given(st.lists(pattern, max_size=3), st.lists(st.text("abc/", min_size=1, max_size=5), max_size=8))
def test_every_match_lies_in_exactly_one_span(patterns: list[bytes], texts: list[str]) -> None:
    compiled = Patterns(patterns)
    spans = compiled.spans()

    for name in (b"refs/" + re.sub(r"/+", "/", text).encode() for text in texts):
        covering = [
            span for span in spans if (name == span.start if span.exact else name.startswith(span.start))
        ]
        assert len(covering) <= 1
        if compiled.matches(name):
            assert len(covering) == 1
        elif covering:
            assert not covering[0].sure or name == b"refs/"
