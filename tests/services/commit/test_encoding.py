"""Encoding commits without message objects: the same as with them (commit.md 2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.pb.shared_pb2 import GitCommit
from gitaly_py.services.commit import encoding
from gitaly_py.services.commit.encoding import CommitEncoder
from gitaly_py.services.messages import git_commit

OID = "ab" * 20
MAILMAP = Mailmap(b"New <new@x> <a@b>\nOther Name <c@d>\n<only@mail> Ann <e@f>\n")

text = st.binary(max_size=12).filter(lambda each: b"\n" not in each)
name = st.one_of(st.sampled_from([b"", b"Ann", b"Ann ", b" Ann", b"J\xfcrgen", b"A > B"]), text)
email = st.one_of(st.sampled_from([b"", b"a@b", b"A@B", b"c@d", b"e@f", b"x<y"]), text)
seconds = st.one_of(
    st.integers(0, 2**34).map(str), st.integers(-5, 10**17).map(str), st.sampled_from(["0", "007", "+5", "x"])
).map(str.encode)
zone = st.sampled_from([b"+0000", b"-0130", b"+51800", b"UTC", b"", b"+0000 x"])

IDENT = b"%b <%b> %b %b"
odd_ident = st.builds(lambda *parts: IDENT % parts, name, email, seconds, zone)
usual_ident = st.builds(
    lambda *parts: IDENT % parts,
    st.sampled_from([b"Ann", b"Ann ", b" Ann", b"J\xfcrgen", b"A > B"]),
    st.sampled_from([b"", b"a@b", b"A@B", b"c@d", b"e@f", b"x<y"]),
    st.sampled_from([b"0", b"1", b"007", b"1700000000", b"123456789012345"]),
    st.sampled_from([b"+0000", b"-0130", b"+51800"]),
)
signature_line = st.sampled_from(
    [
        b"-----BEGIN PGP SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----",
        b"-----BEGIN SIGNED MESSAGE-----",
        b"x",
    ]
)
signature = st.builds(
    lambda key, first, rest: b"%b %b\n" % (key, first) + b"".join(b" %b\n" % line for line in rest),
    st.sampled_from([b"gpgsig", b"gpgsig-sha256"]),
    signature_line,
    st.lists(text, max_size=3),
)
odd_extra = st.one_of(
    st.just(b""),
    signature,
    st.sampled_from([b"encoding latin-1\n", b"mergetag object 1\n type x\n", b"odd\n"]),
)
message = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\n", b"subject", b"subject\r\r\n\nbody\n", b"s" * 11_000, b"s\n" * 6000]),
)


@st.composite
def commits(draw: st.DrawFn, ident: st.SearchStrategy[bytes], extra: st.SearchStrategy[bytes]) -> bytes:
    parents = draw(st.lists(st.sampled_from(["cd" * 20, "ef" * 32, "0"]), max_size=4))
    head = b"tree %b\n" % (b"12" * 20) + b"".join(b"parent %b\n" % parent.encode() for parent in parents)
    author = draw(ident)
    committer = draw(st.one_of(st.just(author), st.just(author[:-4] + b"1234"), ident))
    return b"%bauthor %b\ncommitter %b\n%b\n%b" % (head, author, committer, draw(extra), draw(message))


def check(encoder: CommitEncoder, mailmap: Mailmap, data: bytes) -> None:
    commit = GitObject(OID, "commit", data)
    assert GitCommit.FromString(encoder.encode(commit)) == git_commit(commit, mailmap)


usual = commits(usual_ident, st.one_of(st.just(b""), signature))
odd = commits(st.one_of(usual_ident, odd_ident), odd_extra)


@given(st.lists(st.one_of(usual, odd), min_size=1, max_size=4))
def test_commits_are_encoded_as_their_messages_are(several: list[bytes]) -> None:
    for mailmap in (Mailmap(), MAILMAP):
        encoder = CommitEncoder(mailmap)
        for data in several:
            check(encoder, mailmap, data)


@given(usual, st.data())
def test_damaged_commits_are_encoded_as_their_messages_are(data: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(data)))
    inserted = draw.draw(st.binary(max_size=5))

    check(CommitEncoder(MAILMAP), MAILMAP, data[:cut] + inserted + data[cut:])
    check(CommitEncoder(MAILMAP), MAILMAP, data[:cut])


def test_the_usual_commit_needs_no_message_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "git_commit", None)
    person = b"A U Thor <a@b> 1700000000 +0100"
    signed = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n"
    data = b"tree 12\nparent 34\nparent 56\nauthor %b\ncommitter %b\n%b\nsubject\n" % (person, person, signed)

    found = GitCommit.FromString(CommitEncoder(MAILMAP).encode(GitObject(OID, "commit", data)))

    assert (found.id, found.parent_ids, found.author.name) == (OID, ["34", "56"], b"New")


def test_identities_beyond_those_that_are_kept_are_encoded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_KNOWN_IDENTS", 2)
    encoder = CommitEncoder(MAILMAP)

    for number in [*range(5), *range(5)]:
        person = b"P%d <p%d@x> %d +0000" % (number, number, number)
        check(encoder, MAILMAP, b"tree 12\nauthor %b\ncommitter %b\n\nx" % (person, person))
