"""Commits and tags as messages (commit.md 2, 1.7; ref-blob.md 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.pb.shared_pb2 import CommitAuthor, GitCommit, SignatureType
from gitaly_py.services.messages import NO_MAILMAP, annotated_tag, git_commit

TREE = b"tree " + b"1" * 40 + b"\n"
MAILMAP = Mailmap(b"New <new@example.com> <old@example.com>\n")


@settings(max_examples=100, deadline=None)
@given(data=st.binary() | st.binary().map(lambda rest: TREE + b"author " + rest))
def test_any_bytes_make_a_message_that_can_be_sent(data: bytes) -> None:
    message = git_commit(GitObject("1" * 40, "commit", data), NO_MAILMAP)

    assert GitCommit.FromString(message.SerializeToString()) == message


def test_author_and_committer_are_mapped_and_nothing_else() -> None:
    data = (
        TREE + b"author Old <OLD@example.com> 1 +0000\ncommitter A <a@b> 2 +0100\n\nOld <old@example.com>\n"
    )

    message = git_commit(GitObject("1" * 40, "commit", data), MAILMAP)

    assert (message.author.name, message.author.email) == (b"New", b"new@example.com")
    assert (message.author.date.seconds, message.author.timezone) == (1, b"+0000")
    assert (message.committer.name, message.committer.email) == (b"A", b"a@b")
    assert (message.body, message.body_size) == (b"Old <old@example.com>\n", 22)


def tag_object(message: bytes, tagger: bytes = b"tagger Old <old@example.com> 5 +0000\n") -> GitObject:
    head = b"object " + b"2" * 40 + b"\ntype commit\ntag stored-name\n" + tagger
    return GitObject("1" * 40, "tag", head + b"\n" + message)


def test_a_tag_has_the_name_of_its_reference_and_a_mapped_tagger() -> None:
    target = GitCommit(id="2" * 40)

    tag = annotated_tag(b"name", tag_object(b"message\n\n"), target, MAILMAP)

    assert (tag.name, tag.id, tag.target_commit) == (b"name", "1" * 40, target)
    assert (tag.message, tag.message_size) == (b"message", 7)
    assert tag.tagger == CommitAuthor(
        name=b"New", email=b"new@example.com", date={"seconds": 5}, timezone=b"+0000"
    )
    assert tag.signature_type == SignatureType.NONE


def test_a_tag_without_tagger_or_commit_leaves_both_unset() -> None:
    tag = annotated_tag(b"name", tag_object(b"", tagger=b""), None, NO_MAILMAP)

    assert not tag.HasField("tagger")
    assert not tag.HasField("target_commit")


def test_a_long_tag_message_is_cut_after_its_size_is_taken() -> None:
    tag = annotated_tag(b"name", tag_object(b"m" * 11_264 + b"\n"), None, NO_MAILMAP)

    assert (len(tag.message), tag.message_size) == (10_240, 11_264)


@pytest.mark.parametrize(
    ("first_line", "kind"),
    [
        (b"-----BEGIN PGP SIGNATURE-----", SignatureType.PGP),
        (b"-----BEGIN SIGNED MESSAGE-----", SignatureType.X509),
        (b"-----BEGIN SSH SIGNATURE-----", SignatureType.SSH),
        (b"-----BEGIN SOMETHING-----", SignatureType.NONE),
    ],
)
def test_the_signature_of_a_tag_is_in_its_message(first_line: bytes, kind: int) -> None:
    tag = annotated_tag(b"name", tag_object(b"text\n" + first_line + b"\nabc\n-----END\n"), None, NO_MAILMAP)

    assert tag.signature_type == kind
