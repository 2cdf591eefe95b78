"""Encodes listed references and branches without a message object for each.

A listing of 100,000 references would spend most of its time in making such objects.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.pb.ref_pb2 import ListRefsResponse
from gitaly_py.pb.shared_pb2 import Branch
from gitaly_py.rpc.packer import field_prefixes
from gitaly_py.services.commit.encoding import CommitEncoder

_reference_prefix = field_prefixes(ListRefsResponse.REFERENCES_FIELD_NUMBER)
_name_prefix = field_prefixes(ListRefsResponse.Reference.NAME_FIELD_NUMBER)
_target_prefix = field_prefixes(ListRefsResponse.Reference.TARGET_FIELD_NUMBER)
_peeled_prefix = field_prefixes(ListRefsResponse.Reference.PEELED_TARGET_FIELD_NUMBER)

_branch_name = field_prefixes(Branch.NAME_FIELD_NUMBER)
_branch_commit = field_prefixes(Branch.TARGET_COMMIT_FIELD_NUMBER)


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
