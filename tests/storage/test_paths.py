from __future__ import annotations

import pytest

from gitaly_py.storage.paths import clean, is_below, reason_of


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("/a//b/./c/", "/a/b/c"),
        ("//a", "/a"),
        ("///a", "/a"),
        ("/a/../..", "/"),
        ("/a/b/../c", "/a/c"),
        ("/a\0", "/a\0"),
    ],
)
def test_paths_are_cleaned_without_a_look_at_the_disk(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


def test_below_ends_at_a_component() -> None:
    assert is_below("/a", "/a")
    assert is_below("/a/b", "/a")
    assert not is_below("/ab", "/a")
    assert not is_below("/", "/a")


def test_reasons_are_the_operating_systems() -> None:
    assert reason_of(PermissionError(13, "Permission denied")) == "permission denied"
    assert reason_of(ValueError("embedded null byte")) == "invalid argument"
