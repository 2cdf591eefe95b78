"""Which files count, as what and in which colour (commit.md 4.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.detection.frames import HEADER, fields, frame, length
from gitaly_py.detection.rules.attributes import Attributes
from gitaly_py.detection.rules.counting import ContentNeeded, color_of, counted_language
from gitaly_py.detection.verdicts import packed, unpacked

STATES = st.sampled_from([None, True, False])
TEXT = st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        (b"docs/a.rb", Attributes()),
        (b"vendor/a.rb", Attributes()),
        (b"a.rb", Attributes(documentation=True)),
        (b"a.rb", Attributes(vendored=True)),
        (b"a.rb", Attributes(generated=True)),
        (b"a.rb", Attributes(detectable=False)),
        (b"a.rb", Attributes(generated=False, language="nonsense")),
        (b"a.rb", Attributes(generated=False, language="JSON")),
    ],
)
def test_some_files_do_not_count_whatever_is_in_them(path: bytes, attributes: Attributes) -> None:
    assert counted_language(path, attributes) is None


def test_content_is_asked_for_where_it_matters() -> None:
    for attributes in (Attributes(), Attributes(generated=False), Attributes(language="Go")):
        with pytest.raises(ContentNeeded):
            counted_language(b"a.rb", attributes)
    assert counted_language(b"a.rb", Attributes(generated=False, language="golang")) == "Go"
    assert counted_language(b"a.rb", Attributes(language="golang"), b"x") == "Go"


def test_what_is_detectable_counts_whatever_its_type_is() -> None:
    assert counted_language(b"a.json", Attributes(), b"{}") is None
    assert counted_language(b"a.json", Attributes(detectable=True), b"{}") == "JSON"
    assert counted_language(b"a.css", Attributes(), b"p {}") == "CSS"
    assert counted_language(b"a.rb", Attributes(detectable=True, language="nonsense"), b"x") == "nonsense"
    assert counted_language(b"a.unknown", Attributes(detectable=True), b"x") is None


def test_every_language_has_a_colour() -> None:
    assert color_of("Java") == "#b07219"
    assert color_of("SSH Config") == "#d1dbe0"
    assert color_of("Wozzle Wuzzle") == "#3adbcf"


@given(STATES, STATES, STATES, STATES, st.none() | TEXT)
def test_attributes_arrive_as_they_were_sent(
    documentation: bool | None,
    vendored: bool | None,
    generated: bool | None,
    detectable: bool | None,
    language: str | None,
) -> None:
    attributes = Attributes(documentation, vendored, generated, detectable, language)

    assert unpacked(packed(attributes)) == attributes


@given(st.lists(st.binary()))
def test_frames_hold_any_list(items: list[bytes]) -> None:
    data = frame(items)

    assert length(data[:HEADER]) == len(data) - HEADER
    assert fields(data[HEADER:]) == items
