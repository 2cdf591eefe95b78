from __future__ import annotations

import pytest

from gitaly_py.planning.lines import Malformed, entry


def test_text_entries_are_read_as_logrus_writes_them() -> None:
    line = r'time="2026-02-25T06:13:20.000Z" level=info msg="a \"b\" c=d\n" empty= path=a/b+c.git go="\x00\a"'

    assert entry(line) == {
        "time": "2026-02-25T06:13:20.000Z",
        "level": "info",
        "msg": 'a "b" c=d\n',
        "empty": "",
        "path": "a/b+c.git",
        "go": r"\x00\a",
    }


@pytest.mark.parametrize(
    "line", ['{"a": 1', '{"a": ' + "[" * 100_000, "{}{}", "oops", '"x"', "level=info msg=x"]
)
def test_other_lines_are_malformed(line: str) -> None:
    with pytest.raises(Malformed):
        entry(line)
