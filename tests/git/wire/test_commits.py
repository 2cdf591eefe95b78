"""Raw commits (commit.md 2); the specification's pseudocode and git itself are the oracles."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.commits import parse_commit, parse_signed_commit
from gitaly_py.git.wire.ident import Ident, parse_ident
from gitaly_py.git.wire.signatures import SignatureType, signature_type
from tests.support.repositories import Repo

PGP = b"-----BEGIN PGP SIGNATURE-----"


def by_pseudocode(data: bytes) -> dict[str, Any]:
    """The specification's algorithm, line for line."""
    state, payload = "header", b""
    signatures: list[bytes] = []
    seen: dict[str, Any] = {"parents": [], "message": b"", "type": SignatureType.NONE}
    lines = BytesIO(data)
    for line in lines:
        key, blank, value = line.partition(b" ")
        if line == b"\n":
            seen["message"] = lines.read()
            payload += line + seen["message"]
        elif state == "signature" and line.startswith(b" "):
            signatures[-1] += line[1:]
        elif state == "signature" and blank and key in (b"gpgsig", b"gpgsig-sha256"):
            signatures.append(value)
        elif state != "header":
            state = "after"
            payload += line
        elif blank:
            value = value.removesuffix(b"\n")
            if key in (b"gpgsig", b"gpgsig-sha256"):
                seen["type"], state = signature_type(value), "signature"
                signatures.append(value + b"\n")
                continue
            payload += line
            if key == b"parent":
                seen["parents"].append(value.decode())
            seen[key.decode()] = value
    return {**seen, "payload": payload, "signatures": tuple(each.removesuffix(b"\n") for each in signatures)}


lines = st.sampled_from(
    [
        b"tree abc",
        b"parent p1",
        b"parent p2",
        b"author A <a@b> 1 +0000",
        b"author B",
        b"committer C <c> x",
        b"encoding latin1",
        b"encoding ",
        b"gpgsig " + PGP,
        b"gpgsig-sha256 x",
        b"gpgsig",
        b" continued",
        b" ",
        b"nospace",
        b"mergetag object x",
        b"",
        b"x y\r",
    ]
)


@settings(max_examples=100)
@given(
    st.lists(lines, max_size=12).map(b"\n".join), st.sampled_from([b"", b"\n", b"\n\n", b"\n\nbody\n\nmore"])
)
def test_commits_are_taken_apart_as_specified(head: bytes, rest: bytes) -> None:
    expected = by_pseudocode(head + rest)
    commit = parse_commit(head + rest)
    assert commit.tree_id.encode() == expected.get("tree", b"")
    assert list(commit.parent_ids) == expected["parents"]
    assert commit.author == (parse_ident(expected["author"]) if "author" in expected else None)
    assert commit.committer == (parse_ident(expected["committer"]) if "committer" in expected else None)
    assert commit.encoding.encode() == expected.get("encoding", b"")
    assert commit.signature_type is expected["type"]
    assert commit.message == expected["message"]

    signed = parse_signed_commit(head + rest)
    assert signed.signatures == expected["signatures"]
    assert signed.payload == expected["payload"]


@settings(max_examples=50)
@given(st.binary())
def test_no_commit_fails_to_parse(data: bytes) -> None:
    parse_commit(data)
    parse_signed_commit(data)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_git_sees_the_same_commit(tmp_path: Path, object_format: str) -> None:
    repo = Repo.init(tmp_path / "r.git", object_format)
    parents = [repo.commit("one"), repo.commit("two")]
    oid = repo.commit(
        b"s\xfcbject\r\n\nbody\n",
        {"a": b"1"},
        parents,
        author="Á B <a@b>",
        headers=b"encoding iso-8859-1\nx-odd value\n more\n",
    )

    commit = parse_commit(repo.git_bytes("cat-file", "commit", oid))

    assert commit.tree_id == repo.git("rev-parse", oid + "^{tree}")
    assert list(commit.parent_ids) == parents
    assert commit.author == Ident(
        "Á B".encode(), b"a@b", int(repo.git("log", "-1", "--format=%at", oid)), b"+0000"
    )
    assert commit.encoding == repo.git("log", "-1", "--format=%e", oid) == "iso-8859-1"
    assert commit.message == b"s\xfcbject\r\n\nbody\n"
    assert commit.subject == b"s\xfcbject"


def test_the_signed_text_is_the_commit_without_its_signature() -> None:
    head = b"tree t\nauthor a\n"
    signature = b"gpgsig " + PGP + b"\n \n line\n -----END PGP SIGNATURE-----\n"
    data = head + signature + b"encoding x\n\nmessage\n"
    signed = parse_signed_commit(data)
    assert signed.payload == head + b"encoding x\n\nmessage\n"
    assert signed.signatures == (PGP + b"\n\nline\n-----END PGP SIGNATURE-----",)
    assert parse_commit(data).encoding == ""


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (PGP, SignatureType.PGP),
        (b"-----BEGIN PGP MESSAGE-----", SignatureType.PGP),
        (b"-----BEGIN SIGNED MESSAGE-----", SignatureType.X509),
        (b"-----BEGIN SSH SIGNATURE-----", SignatureType.SSH),
        (PGP + b"\r", SignatureType.NONE),
        (b"", SignatureType.NONE),
    ],
    ids=ascii,
)
def test_signatures_are_told_by_their_first_line(line: bytes, kind: SignatureType) -> None:
    assert parse_commit(b"gpgsig " + line + b"\n\nx").signature_type is kind


@pytest.mark.parametrize("message", [b"", b"\n", b"\nsecond", b"one", b"one\r\r\ntwo"], ids=ascii)
def test_the_subject_is_the_first_line(message: bytes) -> None:
    assert parse_commit(b"tree t\n\n" + message).subject == message.split(b"\n")[0].rstrip(b"\r")
