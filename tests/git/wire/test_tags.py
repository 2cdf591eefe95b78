"""Raw tag objects (ref-blob.md 4.2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.ident import Ident
from gitaly_py.git.wire.signatures import SignatureType
from gitaly_py.git.wire.tags import parse_tag, split_signature, target_of
from tests.support.repositories import EPOCH, Repo

SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n"


def test_a_tag_of_git_is_read(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    commit = repo.commit()
    repo.git("tag", "-a", "-m", "release\n\nnotes", "v1", commit)
    tag = parse_tag(repo.git_bytes("cat-file", "tag", "v1"))
    assert (tag.object, tag.type, tag.name) == (commit, "commit", b"v1")
    assert tag.tagger == Ident(b"A U Thor", b"author@example.com", EPOCH, b"+0000")
    assert tag.message == b"release\n\nnotes"


@pytest.mark.parametrize(
    ("raw", "message"),
    [(b"msg\n", b"msg"), (b"a\nb\n\n\n", b"a\nb"), (b"\n\n", b""), (b"a \r\n", b"a \r"), (b"", b"")],
    ids=ascii,
)
def test_only_newlines_at_the_end_are_dropped(raw: bytes, message: bytes) -> None:
    assert parse_tag(b"object x\n\n" + raw).message == message


def test_what_is_missing_is_empty() -> None:
    tag = parse_tag(b"object abc\ntagger hpa <hpa>")
    assert (tag.tagger, tag.message, tag.type, tag.name) == (Ident(b"hpa", b"hpa"), b"", "", b"")
    assert parse_tag(b"object abc\n\nm").tagger is None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"m\n" + SIGNATURE, SignatureType.PGP),
        (b"m" + SIGNATURE, SignatureType.PGP),
        (SIGNATURE, SignatureType.NONE),
        (b"m\n-----BEGIN PGP SIGNATURE-----\n", SignatureType.NONE),
        (b"m\n-----BEGIN PGP SIGNATURE-----\n\n", SignatureType.PGP),
        (b"m\n-----BEGIN SSH SIGNATURE-----\nx", SignatureType.SSH),
        (b"m\n-----BEGIN SIGNED MESSAGE-----\nx", SignatureType.X509),
        (b"m\n-----BEGIN FOO-----\nx\n" + SIGNATURE, SignatureType.NONE),
        (b"m\n", SignatureType.NONE),
    ],
    ids=ascii,
)
def test_signatures_at_the_end_of_messages_are_recognised(message: bytes, kind: SignatureType) -> None:
    assert parse_tag(b"object x\n\n" + message).signature_type is kind


def test_a_signature_in_the_headers_does_not_count() -> None:
    data = b"object x\ngpgsig -----BEGIN PGP SIGNATURE-----\n object y\n\nm\n"
    assert parse_tag(data).signature_type is SignatureType.NONE
    assert parse_tag(data).object == "x"


@settings(max_examples=50)
@given(st.binary())
def test_no_tag_fails_to_parse(data: bytes) -> None:
    assert parse_tag(data).signature_type in SignatureType


@pytest.mark.parametrize(
    ("data", "target"),
    [
        (b"object 12ab\ntype commit\ntag v\n", ("12ab", "commit")),
        (b"object 12ab\ntype tag\n", ("12ab", "tag")),
        (b"type tag\nobject 12ab\n", ("", "")),
        (b"object 12ab\n", ("", "")),
        (b"", ("", "")),
    ],
    ids=ascii,
)
def test_the_target_is_told_by_the_first_two_lines(data: bytes, target: tuple[str, str]) -> None:
    assert target_of(data) == target


@pytest.mark.parametrize(
    ("data", "content", "signature"),
    [
        (b"head\n\ntext\n" + SIGNATURE, b"head\n\ntext\n", SIGNATURE[:-1]),
        (b"a-----BEGINb\n\n", b"a", b"-----BEGINb\n"),
        (b"a-----BEGIN-----BEGIN", b"a", b"-----BEGIN-----BEGIN"),
        (SIGNATURE, SIGNATURE, b""),
        (b"text\n", b"text\n", b""),
        (b"", b"", b""),
    ],
    ids=ascii,
)
def test_a_signature_is_all_from_its_beginning_on(data: bytes, content: bytes, signature: bytes) -> None:
    assert split_signature(data) == (content, signature)
