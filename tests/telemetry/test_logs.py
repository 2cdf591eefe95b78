"""Entries of which most is known beforehand."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.telemetry.logs import Shared

values = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())
records = st.dictionaries(st.text(st.sampled_from('ab.%s"')), values, max_size=5)


@given(known=records, entries=st.lists(records, max_size=3))
def test_entry_is_one_object_with_its_keys_sorted(
    known: dict[str, Any], entries: list[dict[str, Any]]
) -> None:
    shared = Shared({**known, "level": "info"})

    for entry in entries:
        whole = {**known, "level": "info", **entry}
        assert shared.as_json(entry) == json.dumps(whole, sort_keys=True, ensure_ascii=False)


def test_octets_that_are_no_text_are_escaped() -> None:
    assert json.loads(Shared({"level": "info"}).as_json({"path": b"a\xff"}))["path"] == "a\\xff"


def test_layouts_that_are_kept_are_bounded() -> None:
    shared = Shared({"level": "info"})
    for number in range(1000):
        assert json.loads(shared.as_json({f"key {number}": number})) == {
            "level": "info",
            f"key {number}": number,
        }
    assert len(shared._layouts) < 1000
