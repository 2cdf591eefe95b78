"""Patterns; `git for-each-ref` and `git tag -l` are the oracles."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitaly_py.git.reading.matching import Patterns
from gitaly_py.git.wire.wildmatch import Wildmatch, compiled, is_glob
from tests.support.repositories import ENVIRONMENT, GIT, Repo

NAMES = sorted(
    f"refs/{folder}{name}".encode()
    for folder in ("tags/", "tags/a/", "tags/a/b/", "tags/B/", "tags/a-b/")
    for name in (
        "a0",
        "ab0",
        "A0",
        "aB0",
        "abc0",
        "x-y0",
        "x.y0",
        "x_0",
        "-0",
        "0b1",
        "]0",
        "b/a1",
        "b/Ab",
        "!0",
        "é0",
        "aab1",
    )
)

PATTERNS = [
    "refs/tags",
    "refs/tags/",
    "refs/tags/a",
    "refs/tags/a/",
    "refs/tags/A",
    "refs/tags/a*",
    "refs/tags/*",
    "refs/tags/**",
    "refs/**/a0",
    "**/a0",
    "*/a0",
    "refs/tags/**/a0",
    "refs/tags/**0",
    "refs/**/b/*1",
    "**",
    "*",
    "refs/*/*",
    "refs/tags/?",
    "refs/tags/a?0",
    "refs/tags/[ab]*",
    "refs/tags/[!a]*",
    "refs/tags/[^a]*",
    "refs/tags/[a-]0",
    "refs/tags/[]]0",
    "refs/tags/[]-a]*0",
    "refs/tags/[[:upper:]]0",
    "refs/tags/[[:alpha:]]*",
    "refs/tags/[[:nope:]]0",
    "refs/tags/[[:alpha]]0",
    "refs/tags/[A-Z]0",
    "refs/tags/[a",
    "refs/tags/a\\0",
    "refs/tags/\\a0",
    "refs/tags/\\A0",
    "refs/tags/a0\\",
    "refs/tags/[\\]]0",
    "refs/tags/[\\a-\\c]0",
    "refs/tags/A*",
    "refs/tags[/]a0",
    "refs/tags?a0",
    "refs/t*/*/a0",
    "refs/**/*b*/**",
    "refs/tags/**\\/a0",
    "r**0",
    "main",
    "tags/*",
    "refs/tags/a**/a0",
    "**/tags/*/*/a?",
    "refs/tags/***/a0",
    "refs/tags/!*",
    "refs/tags/[x-_]*",
    "refs/tags/x[!.]y0",
    "refs/tags/é*",
    "refs/tags/?*",
    "refs/tags/[[:punct:]]0",
    "**/a*/b/*",
    "**/a*b/**/a*1",
    "refs/tags/*/",
]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    repo = Repo.init(tmp_path_factory.mktemp("patterns") / "r.git")
    oid = repo.commit().encode()
    Path(repo.path, "packed-refs").write_bytes(b"".join(oid + b" " + name + b"\n" for name in NAMES))
    return repo


def listed_by_git(repo: Repo, *arguments: str) -> list[bytes]:
    line = [GIT, "--git-dir", repo.path, *arguments]
    return subprocess.run(line, check=True, capture_output=True, env=ENVIRONMENT).stdout.split()


def selected(pattern: str, ignore_case: bool) -> list[bytes]:
    patterns = Patterns([pattern.encode()], ignore_case=ignore_case)
    return [name for name in NAMES if patterns.matches(name)]


@pytest.mark.parametrize("ignore_case", [False, True], ids=["exact", "ignoring case"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_select_what_git_selects(repo: Repo, pattern: str, ignore_case: bool) -> None:
    flags = ["--ignore-case", "--sort=refname"] if ignore_case else []
    listed = listed_by_git(repo, "for-each-ref", "--format=%(refname)", *flags, pattern)
    assert selected(pattern, ignore_case) == sorted(listed)


pieces = st.sampled_from(
    [
        "*",
        "**",
        "**/",
        "/**",
        "?",
        "/",
        "a",
        "b",
        "0",
        "x",
        "-",
        "[ab]",
        "[!a]",
        "[a-c]*",
        "\\a",
        "A",
        "[[:digit:]]",
    ]
)
globs = st.lists(pieces, max_size=6).map(lambda parts: "refs/" + "".join(parts))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(globs, st.booleans())
def test_any_pattern_selects_what_git_selects(repo: Repo, pattern: str, ignore_case: bool) -> None:
    flags = ["--ignore-case"] if ignore_case else []
    listed = listed_by_git(repo, "for-each-ref", "--format=%(refname)", *flags, pattern)
    assert selected(pattern, ignore_case) == sorted(listed)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(globs.map(lambda text: text.removeprefix("refs/") or "*"), st.booleans())
def test_patterns_of_tags_cross_slashes(repo: Repo, pattern: str, ignore_case: bool) -> None:
    flags = ["--ignore-case"] if ignore_case else []
    listed = listed_by_git(repo, "tag", "--list", *flags, "--end-of-options", pattern)
    match = Wildmatch(pattern.encode(), path=False, ignore_case=ignore_case)
    tags = [name.removeprefix(b"refs/tags/") for name in NAMES]
    assert [tag for tag in tags if match.matches(tag)] == sorted(listed)


def test_several_patterns_are_a_union_and_none_selects_all() -> None:
    patterns = Patterns([b"refs/heads", b"refs/*/v1"])
    assert patterns.matches(b"refs/heads/x")
    assert patterns.matches(b"refs/tags/v1")
    assert not patterns.matches(b"refs/tags/v2")
    assert Patterns([]).matches(b"refs/anything")
    assert not Patterns([b""]).matches(b"refs/anything")


@pytest.mark.parametrize("star", [b"*", b"**/", b"*a", b"**/*a*/"])
@pytest.mark.parametrize("path", [False, True])
def test_no_pattern_explodes(star: bytes, path: bool) -> None:
    assert not Wildmatch(star * 40 + b"x", path=path).matches(b"a/a" * 300)


def test_globs_are_told_from_names() -> None:
    assert is_glob(b"a*")
    assert is_glob(b"a\\b")
    assert not is_glob(b"refs/heads/main")
    assert compiled(b"a*", path=True) is compiled(b"a*", path=True)
