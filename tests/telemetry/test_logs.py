"""Entries of which most is known beforehand."""

from __future__ import annotations

import contextvars
import io
import json
import re
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.telemetry import logs
from gitaly_py.telemetry.logs import Shared
from gitaly_py.telemetry.method import current_method

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


def written(format_name: str, message: str = "message", **fields: Any) -> str:
    """The line of one entry."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    logs.configure(format_name, "info", stream=stream)
    structlog.get_logger("gitaly").error(message, **fields)
    stream.flush()
    return raw.getvalue().decode()


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, "x" * 1024 + "... (truncated)"),
        ("ü" * 513, "ü" * 512 + "... (truncated)"),
        ("x" + "ü" * 512, "x" + "ü" * 511 + "... (truncated)"),
    ],
    ids=["1024 bytes", "1025 bytes", "more than 1024 bytes in fewer characters", "a character in two"],
)
def test_errors_are_cut_at_1024_bytes(error: str, logged: str) -> None:
    assert json.loads(written("json", error=error))["error"] == logged
    entry = {"error": error}
    logs._shorten_error(entry)
    assert entry["error"] == logged


def test_errors_that_are_no_text_are_their_text() -> None:
    assert json.loads(written("json", error=ValueError("why")))["error"] == "why"


def test_json_has_what_every_entry_has() -> None:
    entry = json.loads(written("json", number=1))
    assert list(entry) == ["level", "msg", "number", "pid", "time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
    assert (entry["level"], entry["msg"]) == ("error", "message")


def test_text_is_keys_and_values_in_order() -> None:
    line = written(
        "text",
        "two words",
        word="plain/word-1.x_@^+",
        quoted='say "x"\n',
        empty="",
        on=True,
        facts={"b": 2, "a": 1},
    )
    assert re.fullmatch(
        r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z" level=error msg="two words" empty= '
        r'facts="map\[a:1 b:2\]" on=true pid=\d+ quoted="say \\"x\\"\\n" word=plain/word-1.x_@\^\+\n',
        line,
    )


@pytest.mark.parametrize("format_name", ["json", "text"])
def test_octets_that_are_no_utf8_do_not_lose_the_entry(format_name: str) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert "\\udce9" in written(format_name, f"no {name}", path=name)


def test_credentials_are_kept_out_of_entries_of_some_rpcs() -> None:
    url = "https://rosa:s3cret@git.example/x.git"

    def entry_of(method: str) -> str:
        current_method.set(("gitaly.RepositoryService", method))
        return written("json", f"no {url}", error=ValueError(url), args=["fetch", url])

    entry = json.loads(contextvars.copy_context().run(entry_of, "FetchRemote"))
    hidden = "https://[FILTERED]@git.example/x.git"
    assert (entry["msg"], entry["error"], entry["args"]) == (f"no {hidden}", hidden, ["fetch", hidden])
    assert "s3cret" in contextvars.copy_context().run(entry_of, "FindCommit")
