"""Mailmaps; expected values are git's own, from check-mailmap."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.ident import Ident
from gitaly_py.git.wire.mailmap import Mailmap
from tests.support.repositories import Repo

MAP = b"""# comment <a@x> <b@x>
Plain Name <plain@x>
<new@x> <Old@x>
Both <both@x> <was@x>
Named <named@x> Old Name <was@x>
Empty <> <e@x>
  Spaced Out   <sp@x>   was spaced  <sp@y>  # trailing
 # <indented@x> <plain@x>
broken <nope
Later <plain@x>
<later@x> <plain@x>
To Empty <filled@x> <>
"""
PEOPLE = [
    Ident(b"n", b"plain@x"),
    Ident(b"n", b"PLAIN@X"),
    Ident(b"n", b"old@x"),
    Ident(b"n", b"was@x"),
    Ident(b"OLD NAME", b"was@x"),
    Ident(b"n", b"e@x"),
    Ident(b"was spaced", b"sp@y"),
    Ident(b"n", b"indented@x"),
    Ident(b"n", b"other@x"),
]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.init(tmp_path_factory.mktemp("mailmap") / "r.git")


def mapped_by_git(repo: Repo, mailmap: bytes, ident: Ident) -> bytes:
    file = Path(repo.path, "mailmap")
    file.write_bytes(mailmap)
    contact = ident.name + b" <" + (ident.email or b"") + b">"
    return repo.git_bytes("-c", f"mailmap.file={file}", "check-mailmap", contact).removesuffix(b"\n")


@pytest.mark.parametrize("ident", PEOPLE, ids=lambda ident: f"{ident.name} {ident.email}")
def test_people_are_mapped_as_by_git(repo: Repo, ident: Ident) -> None:
    mapped = Mailmap(MAP).apply(ident)
    assert b"%b <%b>" % (mapped.name, mapped.email or b"") == mapped_by_git(repo, MAP, ident)


lines = st.lists(
    st.lists(
        st.sampled_from([b"A", b"b c", b"<x>", b"<X>", b"<y>", b"<>", b" ", b"#", b"<z"]), max_size=5
    ).map(b" ".join),
    max_size=4,
).map(b"\n".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines, st.sampled_from([b"A", b"a", b"b c", b"n"]), st.sampled_from([b"x", b"Y", b"q"]))
def test_any_mailmap_is_read_as_by_git(repo: Repo, mailmap: bytes, name: bytes, email: bytes) -> None:
    ident = Ident(name, email)
    mapped = Mailmap(mailmap).apply(ident)
    shown = (mapped.name + b" " if mapped.name else b"") + b"<" + (mapped.email or b"") + b">"
    assert shown == mapped_by_git(repo, mailmap, ident)


def test_dates_stay_and_identities_without_an_address_are_not_mapped() -> None:
    mailmap = Mailmap(b"New <new@x> <old@x>\n")
    assert mailmap.apply(Ident(b"Old", b"old@x", 5, b"+0100")) == Ident(b"New", b"new@x", 5, b"+0100")
    assert mailmap.apply(Ident(b"Old")) == Ident(b"Old")
    assert mailmap
    assert not Mailmap(b"# nothing\n")


def test_blanks_behind_a_name_do_not_count() -> None:
    names = Mailmap(b"New <new@x> Old <old@x>\n<other@x> <was@x>\n")

    assert names.apply(Ident(b"Old ", b"old@x")) == Ident(b"New", b"new@x")
    assert names.apply(Ident(b"Old ", b"was@x")) == Ident(b"Old", b"other@x")
    assert names.apply(Ident(b"Old ", b"unknown@x")) == Ident(b"Old ", b"unknown@x")
