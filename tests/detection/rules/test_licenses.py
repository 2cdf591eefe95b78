"""Comparing texts with licenses (repository.md FindLicense)."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.detection.rules import licenses
from gitaly_py.detection.rules.licenses import matches
from gitaly_py.detection.rules.markup import plain_text
from gitaly_py.detection.rules.wording import parts, words

MIT = (Path(__file__).parents[3] / "LICENSE").read_text()


def test_words_are_without_layout_and_notices() -> None:
    text = """
    Copyright (c) 2024 A. Holder <a@example.com>
    All rights reserved.
      1. The \u201cLicence\u201d -- version 2.0 -- shall not
      (a) be sub-licensed, per cent;
      * nor \uff43opied.  Copyright \u00a9 notices
    """
    assert words(text) == (
        [
            "the",
            "license",
            "version",
            "20",
            "shall",
            "not",
            "be",
            "sublicensed",
            "percent",
            "nor",
            "copied",
            "copyright",
            "notices",
        ]
    )


def test_lines_of_a_text_that_begin_with_copyright_are_kept() -> None:
    assert words("copyright notice, this list of conditions\ncopyright holders be liable") == (
        ["copyright", "notice", "this", "list", "of", "conditions", "copyright", "holders", "be", "liable"]
    )


def test_parts_are_what_stands_between_drawn_lines() -> None:
    assert parts("a\n-----\nb\nc\n  ***  \n\nd") == ["a", "b\nc", "\nd"]
    assert parts("a\n--\nb\n(c)\n___\n,,,\n-- x --\n") == []


def test_a_license_is_found_between_other_texts() -> None:
    other = "\n".join(f"{number} apples and {number} oranges" for number in range(300))

    assert matches(other) == {}
    assert (
        max(matches(f"{other}\n=====\n{MIT}\n=====\n{other}").items(), key=lambda found: found[1])[0] == "MIT"
    )
    assert matches(f"{other}\n{MIT}\n{other}") == {}


def test_weaker_matches_are_left_out_beside_good_ones() -> None:
    found = matches(MIT)

    assert found["MIT"] > 0.98
    assert all(confidence >= licenses.ENOUGH for confidence in found.values())


def test_references_count_whatever_their_scheme() -> None:
    assert matches("see http://www.apache.org/licenses/LICENSE-2.0") == {"Apache-2.0": 1.0}
    assert matches("see", "[x](https://www.apache.org/licenses/LICENSE-2.0)") == {"Apache-2.0": 1.0}
    assert "CC-BY-4.0" in matches("see https://creativecommons.org/licenses/by/4.0/deed.en")
    assert matches("see https://someone.mit-license.org") == {"MIT": 1.0}


def test_a_text_that_refers_to_its_license_is_no_weaker_for_it() -> None:
    with_reference = matches(MIT + "\nhttps://opensource.org/licenses/MIT\n")

    assert licenses.ENOUGH <= with_reference["MIT"] < 1


def test_every_license_has_a_name_and_its_own_text() -> None:
    known = licenses.licenses()

    assert len(known) > 480
    assert all(each.name for each in known.values())
    assert known["GPL-2.0+"].name == "GNU General Public License v2.0 or later"
    assert [name for name in known if name.startswith("deprecated")] == []


def test_markup_is_removed() -> None:
    markdown = (
        "# The **MIT** License\n\n> See [here](https://x.org/a_b) or `there`, \\*now\\*.\n\n[x]: http://y\n"
    )
    html = "<html><head><title>x</title></head><p>The <b>MI</b>T &amp; others</p><script>no()</script>"

    assert plain_text("a.md", markdown).split() == [
        "The",
        "MIT",
        "License",
        "See",
        "here",
        "or",
        "there,",
        "*now*.",
    ]
    assert plain_text("a.HTML", html).split() == ["The", "MIT", "&", "others"]
    assert plain_text("a.rst", ".. note:: x\n\nThe *MIT* `License <http://x>`_ ``y``").split() == (
        ["The", "MIT", "License", "y"]
    )
    assert plain_text("a.txt", markdown) == markdown


@given(st.text(), st.sampled_from(["a.md", "a.rst", "a.html", "a"]))
def test_any_text_can_be_looked_through(text: str, name: str) -> None:
    plain = plain_text(name, text)

    assert all(word == word.lower() and word.isalnum() for word in words(plain))
    assert all(confidence >= 0 for confidence in matches(plain, text).values())
