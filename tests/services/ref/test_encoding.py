"""The encoded references, branches and tags are what a real message holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.git.wire.tags import target_of
from gitaly_py.pb.ref_pb2 import FindAllBranchesResponse, ListRefsResponse
from gitaly_py.pb.shared_pb2 import Branch, Tag
from gitaly_py.services.messages import annotated_tag, git_commit
from gitaly_py.services.ref import encoding
from gitaly_py.services.ref.encoding import BranchEncoder, ReferenceEncoder, TagEncoder

Reference = ListRefsResponse.Reference
MAILMAP = Mailmap(b"New <new@x> <a@b>\n")
COMMIT = GitObject(
    "12" * 20, "commit", b"tree 34\nauthor A <a@b> 1 +0000\ncommitter B <c@d> 1700000000 +0100\n\nsubject\n"
)
OID = "ab" * 20
names = st.binary(max_size=300) | st.integers(1000, 40_000).map(lambda size: b"x" * size)


@pytest.mark.parametrize("hex_length", [40, 64])
@settings(max_examples=50, deadline=None)
@given(entries=st.lists(st.tuples(names, st.booleans()), max_size=5))
def test_encoded_references_are_parsed_back(hex_length: int, entries: list[tuple[bytes, bool]]) -> None:
    oid, final = "1" * hex_length, "2" * hex_length

    encoded = ReferenceEncoder(hex_length).encode(
        [name for name, _ in entries],
        [oid for _ in entries],
        [final if is_tag else oid for _, is_tag in entries],
    )

    assert list(ListRefsResponse.FromString(encoded).references) == [
        Reference(name=name, target=oid, peeled_target=final if is_tag else "") for name, is_tag in entries
    ]


@given(name=names)
def test_encoded_branches_are_parsed_back(name: bytes) -> None:
    encoded = BranchEncoder(MAILMAP).encode(name, COMMIT)

    target = git_commit(COMMIT, MAILMAP)
    assert Branch.FromString(encoded) == Branch(name=name, target_commit=target)
    assert FindAllBranchesResponse.Branch.FromString(encoded) == FindAllBranchesResponse.Branch(
        name=name, target=target
    )


headers = st.sampled_from(
    [
        b"object %b\n" % OID.encode(),
        b"object 12\n",
        b"object xyz\n",
        b"type commit\n",
        b"type tag\n",
        b"type odd one\n",
        b"tag v1\n",
        b"tag \xfc \n",
        b"tag\n",
        b"tagger A U Thor <a@b> 1700000000 +0100\n",
        b"tagger A <A@B> 007 -0000\n",
        b"tagger <c<d> 1 +0000\n",
        b"tagger A <a@b> 1700000000\n",
        b"tagger A <a@b> 99999999999999999 +0000\n",
        b"tagger A <a@b> -1 +0000\n",
        b"tagger A\n",
        b"gpgsig-sha256 -----BEGIN PGP SIGNATURE-----\n x\n",
        b" odd\n",
    ]
)
usual_headers = st.tuples(
    st.sampled_from([b"object %b\n" % OID.encode(), b"object %b\n" % (b"cd" * 32)]),
    st.sampled_from([b"type commit\n", b"type tag\n", b"type blob\n"]),
    st.sampled_from([b"tag v1\n", b"tag \xfc \n"]),
    headers.filter(lambda line: line.startswith(b"tagger")),
)
messages = st.lists(
    st.sampled_from(
        [
            b"",
            b"\n",
            b"release\n",
            b"no end",
            b"m" * 11_000,
            b"\n" * 300,
            b"-----BEGIN PGP SIGNATURE-----\nx\n",
            b"-----BEGIN SSH SIGNATURE-----\nx\n",
            b"-----BEGIN SIGNED MESSAGE-----\nx\n",
            b"-----BEGIN ODD-----\nx\n",
        ]
    ),
    max_size=4,
).map(b"".join)
raw_tags = st.builds(
    lambda lines, end, message: b"".join(lines) + end + message,
    st.one_of(usual_headers, st.lists(headers, max_size=6)),
    st.sampled_from([b"\n", b""]),
    messages,
)


@given(name=names, data=raw_tags, has_commit=st.booleans())
def test_encoded_tags_are_parsed_back(name: bytes, data: bytes, has_commit: bool) -> None:
    encoder = TagEncoder(MAILMAP)
    tag = GitObject(OID, "tag", data)

    encoded, target, kind = encoder.annotated(name, tag)

    commit = git_commit(COMMIT, MAILMAP) if has_commit else None
    whole = encoder.with_commit(encoded, COMMIT) if has_commit else encoded
    assert Tag.FromString(whole) == annotated_tag(name, tag, commit, MAILMAP)
    assert (target.decode(), kind.decode()) == target_of(data)


@given(name=names)
def test_encoded_lightweight_tags_are_parsed_back(name: bytes) -> None:
    encoder = TagEncoder(MAILMAP)

    light = encoder.lightweight(name, OID)

    commit = git_commit(COMMIT, MAILMAP)
    assert Tag.FromString(light) == Tag(name=name, id=OID)
    assert Tag.FromString(encoder.with_commit(light, COMMIT)) == Tag(name=name, id=OID, target_commit=commit)


def test_the_usual_tag_needs_no_message_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "annotated_tag", None)
    data = b"object 12\ntype commit\ntag v1\ntagger A <a@b> 1700000000 +0100\n\nm\n"

    encoded, target, kind = TagEncoder(MAILMAP).annotated(b"v1", GitObject(OID, "tag", data))

    assert (Tag.FromString(encoded).tagger.name, target, kind) == (b"New", b"12", b"commit")
