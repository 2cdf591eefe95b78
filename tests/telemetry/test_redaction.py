"""Credentials in URLs (daemon.md 4.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.telemetry.redaction import redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://rosa:s3cret@git.example/x.git", "https://[FILTERED]@git.example/x.git"),
        ("HTTPS://ROSA:S3CRET@GIT.EXAMPLE/x", "HTTPS://[FILTERED]@GIT.EXAMPLE/x"),
        ("rosa:s3cret@git.example:x.git", "[FILTERED]@git.example:x.git"),
        ("git@git.example:x.git", "[FILTERED]@git.example:x.git"),
        ("ssh://git@[::1]:22/x", "ssh://[FILTERED]@[::1]:22/x"),
        ("https://token@a and http://b:c@d.", "https://[FILTERED]@a and http://[FILTERED]@d."),
        (
            "fatal: unable to access 'https://u:p@h/': 500",
            "fatal: unable to access 'https://[FILTERED]@h/': 500",
        ),
        ("https://git.example/x.git", "https://git.example/x.git"),
        ("HEAD@{1} and a @ b and @host", "HEAD@{1} and a @ b and @host"),
        ("", ""),
    ],
)
def test_only_the_user_of_a_url_is_filtered(text: str, shown: str) -> None:
    assert redacted(text) == shown


@given(st.text(), st.text(), st.from_regex(r"[A-Za-z0-9:%!-]{1,20}", fullmatch=True))
def test_no_password_is_left_whatever_is_around_it(before: str, after: str, password: str) -> None:
    secret = f"<{password}>"
    assert secret not in redacted(f"{before}https://user:{secret}@host/{after}")
