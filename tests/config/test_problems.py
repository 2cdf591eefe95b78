from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config import problems
from gitaly_py.config.duration import Duration


@pytest.mark.parametrize("text", ["", "s3://bucket/%20path?region=x", "file:///srv", "plain"])
def test_a_url_is_fine(text: str) -> None:
    assert problems.url(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://a\nb", 'parse "s3://a\nb": invalid control character in URL'),
        ("://x", 'parse "://x": missing protocol scheme'),
        ("a%2", 'parse "a%2": invalid URL escape "%2"'),
        ("a%zz%20", 'parse "a%zz%20": invalid URL escape "%zz"'),
    ],
)
def test_a_url_that_cannot_be_taken_apart_is_refused(text: str, message: str) -> None:
    assert problems.url(text) == message


def test_a_path_through_a_file_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = f"{tmp_path}/file/x"

    assert problems.directory(path) == f"stat {path}: not a directory"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], None),
        ([1.0, 2.0], None),
        ([1.0, 1.0], "bad order: expected asc: [1 1]"),
        ([2.0, 1.5, 3.0], "bad order: expected asc: [2 1.5 3]"),
    ],
)
def test_numbers_rise(values: list[float], message: str | None) -> None:
    assert problems.ascending(values) == message


def test_ranges_include_their_ends() -> None:
    assert problems.in_range(0, 0, 5) is None
    assert problems.in_range(5, 0, 5) is None
    assert problems.in_range(6, 0, 5) == "not in range: 6 out of [0, 5]"
    assert problems.at_least(Duration(0), Duration(0)) is None
    assert problems.greater(0, 0) == "not in range: 0 is not greater than 0"


def test_quotes_in_a_value_are_escaped() -> None:
    assert problems.quoted('a"b\\') == r'"a\"b\\"'


def test_problems_of_a_section_lie_under_its_key() -> None:
    inner = problems.under(problems.entry(1), problems.at("name", problems.not_empty("")))

    assert list(problems.under("storage", inner)) == [(("storage", "[1]", "name"), "not set")]
