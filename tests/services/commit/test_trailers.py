"""Trailers parsed in process are those that git prints (commit.md 2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.trailers import FORMAT
from gitaly_py.services.commit.trailers import plain_trailers
from tests.support.repositories import Repo

LINES = [
    b"title",
    b"",
    b" ",
    b"\t",
    b"\r",
    b"Signed-off-by: A <a@example.com>",
    b"(cherry picked from commit 0123)",
    b"Key: value",
    b"Key:",
    b"Key \t: v \r",
    b" continued",
    b"\ttwo: words",
    b"plain text",
    b"see https://example.com",
    b": v",
    b"two words: v",
    b"\xc3\xa9: v",
    b"Bug:\x0bx",
]
messages = st.lists(st.sampled_from(LINES), max_size=14).map(b"\n".join)


@pytest.fixture(scope="module")
def shared_repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.init(Path(tmp_path_factory.mktemp("trailers"), "repo.git"))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=messages, end=st.sampled_from([b"", b"\n", b"\n\n", b"\n \n"]))
def test_any_plain_message_has_the_trailers_that_git_finds(
    shared_repo: Repo, message: bytes, end: bytes
) -> None:
    oid = shared_repo.commit(message + end)

    printed = shared_repo.git_bytes("show", "--no-patch", f"--format={FORMAT}%x01", oid)

    assert plain_trailers(message + end) == printed.removesuffix(b"\x01\n")


def test_the_title_is_never_a_trailer() -> None:
    assert plain_trailers(b"Key: value\n") == b""
    assert plain_trailers(b"title\n\nKey: value\n") == b"Key: value"
