"""How messages look on the terminal of whoever pushed (transport.md 9.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rails.errors import UnknownMessageType
from gitaly_py.rails.messages import printed
from gitaly_py.rails.push import Message

RULE = "=" * 72


def shown(*messages: Message) -> str:
    return b"".join(printed(messages)).decode()


def test_a_basic_message_is_printed_as_it_is() -> None:
    assert shown(Message("To  view:\n  https://x", "basic")) == "\nTo  view:\n  https://x\n\n"


def test_an_alert_is_centred_between_rules() -> None:
    expected = f"\n{RULE}\n\n{' ' * 26}Storage is 95 % full\n\n{RULE}\n\n"

    assert shown(Message("Storage is\n 95 %  full", "alert")) == expected


def test_an_alert_wraps_before_68_bytes_with_the_space_after_a_word() -> None:
    fits = shown(Message("a" * 30 + " " + "b" * 36, "alert")).splitlines()
    wraps = shown(Message("a" * 30 + " " + "b" * 37, "alert")).splitlines()

    assert fits[3:-3] == [" " * 2 + "a" * 30 + " " + "b" * 36]
    assert wraps[3:-3] == [" " * 21 + "a" * 30, " " * 17 + "b" * 37]


def test_a_word_longer_than_the_width_stands_alone() -> None:
    word = "x" * 80
    lines = shown(Message(word, "alert")).splitlines()

    assert lines[3:5] == [" " * 36, word]


def test_widths_are_counted_in_bytes() -> None:
    assert shown(Message("ä" * 10, "alert")).splitlines()[3] == " " * 26 + "ä" * 10


def test_messages_follow_each_other() -> None:
    assert shown(Message("one", "basic"), Message("two", "basic")) == "\none\n\n\ntwo\n\n"


def test_another_type_ends_the_printing() -> None:
    texts = printed([Message("one", "basic"), Message("two", "loud")])

    assert next(texts) == b"\none\n\n"
    with pytest.raises(UnknownMessageType, match=r"^invalid message type: loud$"):
        next(texts)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=67), max_size=30))
def test_an_alert_keeps_its_words_in_order_and_within_the_width(words: list[str]) -> None:
    lines = shown(Message(" ".join(words), "alert")).splitlines()[3:-3]

    assert " ".join(lines).split() == words
    assert all(len(line.strip()) <= 68 for line in lines)
