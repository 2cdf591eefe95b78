"""Encodes listed references, branches and tags without a message object for each.

A listing of 100,000 references would spend most of its time in making such objects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.commits import MAX_BODY
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.git.wire.signatures import SignatureType
from gitaly_py.git.wire.tags import signature_of, target_of
from gitaly_py.pb.ref_pb2 import ListRefsResponse
from gitaly_py.pb.shared_pb2 import Branch, Tag
from gitaly_py.rpc.packer import field_prefixes, varint
from gitaly_py.services.commit.encoding import CommitEncoder
from gitaly_py.services.messages import SIGNATURE_TYPES, annotated_tag

_reference_prefix = field_prefixes(ListRefsResponse.REFERENCES_FIELD_NUMBER)
_name_prefix = field_prefixes(ListRefsResponse.Reference.NAME_FIELD_NUMBER)
_target_prefix = field_prefixes(ListRefsResponse.Reference.TARGET_FIELD_NUMBER)
_peeled_prefix = field_prefixes(ListRefsResponse.Reference.PEELED_TARGET_FIELD_NUMBER)

_branch_name = field_prefixes(Branch.NAME_FIELD_NUMBER)
_branch_commit = field_prefixes(Branch.TARGET_COMMIT_FIELD_NUMBER)

_tag_name = field_prefixes(Tag.NAME_FIELD_NUMBER)
_tag_id = field_prefixes(Tag.ID_FIELD_NUMBER)
_tag_commit = field_prefixes(Tag.TARGET_COMMIT_FIELD_NUMBER)
_tag_message = field_prefixes(Tag.MESSAGE_FIELD_NUMBER)
_tag_tagger = field_prefixes(Tag.TAGGER_FIELD_NUMBER)
_TAG_MESSAGE_SIZE = varint(Tag.MESSAGE_SIZE_FIELD_NUMBER << 3)
_TAG_SIGNATURE = varint(Tag.SIGNATURE_TYPE_FIELD_NUMBER << 3)

_USUAL_TAG = re.compile(
    rb"object ([0-9a-f]+)\ntype ([a-z]+)\ntag .*\n"
    rb"tagger ([^<\n]*<[^>\n]*)> ([0-9]{1,15}) ([+-][0-9]+)\n\n"
)
"""A tag without rare headers, whose tagger has everything."""


class _Openings(dict[int, bytes]):
    """What stands before a name of a given length: the tags and lengths of the entry and of the name."""

    def __init__(self, beyond: int) -> None:
        """beyond: encoded bytes of the entry that follow the name."""
        super().__init__()
        self._beyond = beyond

    def __missing__(self, size: int) -> bytes:
        name = _name_prefix(size)
        self[size] = opening = _reference_prefix(len(name) + size + self._beyond) + name
        return opening


class ReferenceEncoder:
    """Turns columns of references into encoded `references` fields of a ListRefsResponse."""

    def __init__(self, hex_length: int) -> None:
        """hex_length: digits of an object id in this repository."""
        self._target = _target_prefix(hex_length)
        self._peeled = _peeled_prefix(hex_length)
        target = len(self._target) + hex_length
        self._openings = _Openings(target)
        self._tag_openings = _Openings(target + len(self._peeled) + hex_length)

    def encode(self, names: Sequence[bytes], oids: Sequence[str], peeled: Sequence[str]) -> bytes:
        """peeled: what each reference peels to; its own id where no peeled target is to be shown."""
        parts: list[bytes] = []
        for name, oid, final in zip(names, oids, peeled, strict=True):
            if final == oid:
                parts += (self._openings[len(name)], name, self._target, oid.encode())
            else:
                parts += (self._tag_openings[len(name)], name, self._target, oid.encode())
                parts += (self._peeled, final.encode())
        return b"".join(parts)


class BranchEncoder:
    """Makes encoded Branches, and those of FindAllBranchesResponse, whose fields are the same."""

    def __init__(self, mailmap: Mailmap) -> None:
        """mailmap: gives the identities in the commits."""
        self._commits = CommitEncoder(mailmap)

    def encode(self, name: bytes, commit: GitObject) -> bytes:
        """The branch of that name on a raw commit."""
        target = self._commits.encode(commit)
        return b"".join((_branch_name(len(name)), name, _branch_commit(len(target)), target))


class TagEncoder:
    """Makes encoded Tags, with the identities that a mailmap gives. One for each call."""

    def __init__(self, mailmap: Mailmap) -> None:
        self._mailmap = mailmap
        self._commits = CommitEncoder(mailmap)

    def lightweight(self, name: bytes, oid: str) -> bytes:
        """A tag without a tag object. name: without `refs/tags/`."""
        target = oid.encode()
        return b"".join((_tag_name(len(name)), name, _tag_id(len(target)), target))

    def annotated(self, name: bytes, tag: GitObject) -> tuple[bytes, bytes, bytes]:
        """A tag with a tag object; id and type of what that points at, empty where it does not say so."""
        usual = _USUAL_TAG.match(tag.data)
        if usual is None:
            return self._unusual(name, tag)
        target, kind, who, seconds, timezone = usual.groups()
        oid = tag.oid.encode()
        head = (_tag_name(len(name)), name, _tag_id(len(oid)), oid)
        message = _message(tag.data[usual.end() :])
        tagger = self._commits.signed(who, seconds, timezone)
        return b"".join((*head, *message, _tag_tagger(len(tagger)), tagger)), target, kind

    def _unusual(self, name: bytes, tag: GitObject) -> tuple[bytes, bytes, bytes]:
        target, kind = target_of(tag.data)
        encoded = annotated_tag(name, tag, None, self._mailmap).SerializeToString()
        return encoded, target.encode(), kind.encode()

    def with_commit(self, tag: bytes, commit: GitObject) -> bytes:
        """An encoded tag and the commit that it is or peels to."""
        target = self._commits.encode(commit)
        return b"".join((tag, _tag_commit(len(target)), target))


def _message(raw_message: bytes) -> tuple[bytes, ...]:
    """The fields that tell of a tag's message and of the signature in it."""
    text = raw_message.rstrip(b"\n")
    if not text:
        return ()
    message = text[:MAX_BODY]
    fields = (_tag_message(len(message)), message, _TAG_MESSAGE_SIZE, varint(len(text)))
    kind = signature_of(raw_message)
    return fields if kind is SignatureType.NONE else (*fields, _TAG_SIGNATURE, varint(SIGNATURE_TYPES[kind]))
