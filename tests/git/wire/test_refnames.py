"""Reference names (ref-blob.md 2.1)."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import InvalidReferenceName
from gitaly_py.git.wire.refnames import branch_name, is_reference_name, validate_reference_name
from tests.support.repositories import GIT


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"HEAD", "HEAD reference not allowed"),
        (b"main", "reference is not fully qualified"),
        (b"", "reference is not fully qualified"),
        (b"refs/", "refs/ is not a valid reference"),
        (b"refs/heads/", "reference must not end with slash"),
        (b"refs/heads/a.", "reference must not end with dot"),
        (b"refs/heads/@{a", "reference must not contain @{"),
        (b"refs/heads/a..b", "reference must not contain double dots"),
        (b"refs/heads/a b", "reference must not contain space characters"),
        (b"refs/heads/a\nb\x01", "reference must not contain space characters"),
        (b"refs/heads/a:b c", "reference must not contain special characters"),
        (b"refs/heads/a\x7f", "reference must not contain special characters"),
        (b"refs/heads/a\0", "reference must not contain control characters"),
        (b"refs/heads/a\rb", "reference must not contain control characters"),
        (b"refs//a", "empty component is not allowed"),
        (b"refs/.a/b.lock", "component must not start with dot"),
        (b"refs/a.lock/b", "component must not end with .lock"),
    ],
    ids=ascii,
)
def test_the_first_broken_rule_gives_the_text(name: bytes, text: str) -> None:
    with pytest.raises(InvalidReferenceName) as caught:
        validate_reference_name(name)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "name",
    [
        b"refs/single",
        b"refs/foo./dot",
        b"refs/heads/\xff",
        b"refs/heads/@",
        b"refs/heads/-x",
        b"refs/heads/'\"%;",
    ],
)
def test_unusual_names_are_allowed(name: bytes) -> None:
    validate_reference_name(name)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="a/.@{l\x01\\~* -\x7fé[", max_size=8))
def test_names_are_valid_when_git_says_so(text: str) -> None:
    name = "refs/" + text.replace("l", ".lock")
    done = subprocess.run([GIT, "check-ref-format", name], check=False)
    assert is_reference_name(name.encode()) == (done.returncode == 0)


def test_branches_lie_below_heads() -> None:
    assert branch_name(b"refs/heads/a/b") == b"a/b"
    assert branch_name(b"refs/heads/") is None
    assert branch_name(b"refs/tags/a") is None
