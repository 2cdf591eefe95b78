from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.config.positions import Path, position

TEXT = """\
# [comment] = 1
plain = 1 # trailing ] } ,
"quoted \\" key" = 'a # b'
dotted . "key".x = true
list = [ # comment ]
  1, "two, ]",
  [3], {four = 4, "five" = [5]},
]
multi = \"\"\"
[not.a.table]
key = "no" \\\"\"\"\\
\"\"\"
literal = '''
x = ']' '''
[table.inner]
  key = 2020-01-01 00:00:00Z
[[entry]]
name = "a"
[entry.sub]
name = "b"
[[entry]]
name = "c"
  [[entry.deep]]
  x = -1
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("plain",), (2, 9)),
        (('quoted " key',), (3, 19)),
        (("dotted", "key", "x"), (4, 20)),
        (("list",), (5, 8)),
        (("list", 1), (6, 6)),
        (("list", 2, 0), (7, 4)),
        (("list", 3, "four"), (7, 16)),
        (("list", 3, "five", 0), (7, 29)),
        (("multi",), (9, 9)),
        (("literal",), (13, 11)),
        (("table", "inner", "key"), (16, 9)),
        (("entry", 0, "name"), (18, 8)),
        (("entry", 0, "sub", "name"), (20, 8)),
        (("entry", 1, "name"), (22, 8)),
        (("entry", 1, "deep", 0, "x"), (24, 7)),
        (("entry", 1), (21, 1)),
        (("table", "inner", "absent"), (15, 1)),
    ],
    ids=lambda value: ".".join(map(str, value)),
)
def test_position_finds_a_value(path: Path, place: tuple[int, int]) -> None:
    assert position(TEXT, path) == place


def test_position_of_what_stands_nowhere_is_unknown() -> None:
    assert position(TEXT, ("absent",)) is None


values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text("ab #[]{},=\"\\\n'é", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab.c", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=4))
def test_a_value_stands_where_position_says(tree: dict[str, Any]) -> None:
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in tree.items())

    for path, value in _leaves(tree):
        place = position(text, path)
        assert place is not None
        rest = text.split("\n")[place[0] - 1][place[1] - 1 :]
        assert rest.startswith(_toml(value))
        assert tomllib.loads(f"x = {_toml(value)}") == {"x": value}


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _leaves(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [
        *([(path, value)] if path else []),
        *(leaf for key, entry in entries for leaf in _leaves(entry, (*path, key))),
    ]
