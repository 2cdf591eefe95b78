from __future__ import annotations

import pytest

from gitaly_py.config.git_keys import fault_of


@pytest.mark.parametrize(
    "key",
    [
        "core.bare",
        "http.https://x.example/a.sslVerify",
        "a.b-c",
        "url.git@x:.insteadOf",
        "a.*",
        "a.,+",
        "1.2",
    ],
)
def test_a_key_with_a_section_is_fine(key: str) -> None:
    assert fault_of(key) is None


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "not set"),
        ("a.b=c", 'key "a.b=c" cannot contain "="'),
        ("=", 'key "=" cannot contain "="'),
        ("abc", 'key "abc" must contain at least one section'),
        (".a", 'key ".a" must not start or end with a dot'),
        ("a.b.", 'key "a.b." must not start or end with a dot'),
        ("a..b\n", 'key "a..b\n" failed regexp validation'),
        ("a.b c", 'key "a.b c" failed regexp validation'),
        ("-a.b", 'key "-a.b" failed regexp validation'),
        ("a.b!", 'key "a.b!" failed regexp validation'),
        ("é.b", 'key "é.b" failed regexp validation'),
    ],
)
def test_the_first_rule_that_a_key_breaks_is_told(key: str, fault: str) -> None:
    assert fault_of(key) == fault
