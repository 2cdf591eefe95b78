"""Encodes commits as `commits` of a response without a message object for each (commit.md 2).

A walk over 100,000 commits would spend most of its time in making such objects. What is not the usual
form of a commit goes through one all the same.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.commits import MAX_BODY
from gitaly_py.git.wire.ident import Ident
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.git.wire.signatures import signature_type
from gitaly_py.pb.shared_pb2 import CommitAuthor, GitCommit
from gitaly_py.rpc.packer import field_prefixes, varint
from gitaly_py.services.messages import SIGNATURE_TYPES, git_commit

_IDENT = rb"([^<\n]*<[^>\n]*)> ([0-9]{1,15}) ([+-][0-9]+)\n"
_USUAL = re.compile(
    rb"tree ([0-9a-f]+)\n"
    rb"((?:parent [0-9a-f]+\n)*)"
    rb"author (?P<author>" + _IDENT + rb")"
    rb"committer (?:(?P=author)|" + _IDENT + rb")"
    rb"(?:gpgsig ([^\n]*)\n(?: [^\n]*\n)+)?"
    rb"\n"
)
"""A commit without encoding and rare headers, whose identities have everything: few are otherwise.

Fifteen digits of seconds are within the range of dates, whatever they are.
"""

_KNOWN_IDENTS = 10_000
"""Identities whose encoding is kept during one call."""

_id = field_prefixes(GitCommit.ID_FIELD_NUMBER)
_subject = field_prefixes(GitCommit.SUBJECT_FIELD_NUMBER)
_body = field_prefixes(GitCommit.BODY_FIELD_NUMBER)
_author = field_prefixes(GitCommit.AUTHOR_FIELD_NUMBER)
_committer = field_prefixes(GitCommit.COMMITTER_FIELD_NUMBER)
_parent = field_prefixes(GitCommit.PARENT_IDS_FIELD_NUMBER)
_tree = field_prefixes(GitCommit.TREE_ID_FIELD_NUMBER)
_date = field_prefixes(CommitAuthor.DATE_FIELD_NUMBER)
_timezone = field_prefixes(CommitAuthor.TIMEZONE_FIELD_NUMBER)
_BODY_SIZE = varint(GitCommit.BODY_SIZE_FIELD_NUMBER << 3)
_SIGNATURE = varint(GitCommit.SIGNATURE_TYPE_FIELD_NUMBER << 3)
_PARENT = len(b"parent ")
_SECONDS = varint(1 << 3)

_FIVE_BYTES = range(1 << 28, 1 << 35)
"""Seconds that take five bytes: dates from 1978 on."""
_FIVE_BYTES_DATE = _date(len(_SECONDS) + 5) + _SECONDS
_LOW = [bytes((number | 0x80,)) for number in range(128)]
"""The bytes of a number that others follow."""
_varint = lru_cache(maxsize=8192)(varint)
"""For sizes of bodies, and for days, which are few."""


class CommitEncoder:
    """Makes encoded GitCommits, with the identities that a mailmap gives. One for each call."""

    def __init__(self, mailmap: Mailmap) -> None:
        self._mailmap = mailmap
        self._idents: dict[bytes, bytes] = {}

    def encode(self, commit: GitObject) -> bytes:
        """What `git_commit` makes of a raw commit, encoded. Further fields may simply be appended."""
        data = commit.data
        usual = _USUAL.match(data)
        if usual is None:
            return git_commit(commit, self._mailmap).SerializeToString()
        tree, parents, _, author, authored, author_zone, committer, committed, zone, signature = (
            usual.groups()
        )
        oid = commit.oid.encode()
        by = self.signed(author, authored, author_zone)
        parts = [_id(len(oid)), oid, *_message(data[usual.end() :]), _author(len(by)), by]
        # None is the same line again.
        if committer is not None:
            by = self.signed(committer, committed, zone)
        parts += (_committer(len(by)), by)
        for parent in parents.split(b"\n")[:-1]:
            parts += (_parent(len(parent) - _PARENT), parent[_PARENT:])
        if signature is not None and (kind := SIGNATURE_TYPES[signature_type(signature)]):
            parts += (_SIGNATURE, varint(kind))
        parts += (_tree(len(tree)), tree)
        return b"".join(parts)

    def signed(self, who: bytes, seconds: bytes, timezone: bytes) -> bytes:
        """An encoded CommitAuthor. who: name and address as stored, without the closing bracket."""
        known = self._idents.get(who)
        if known is None:
            if len(self._idents) >= _KNOWN_IDENTS:
                self._idents.clear()
            known = self._idents[who] = self._person(who)
        return known + _dated(int(seconds)) + _zoned(timezone)

    def _person(self, who: bytes) -> bytes:
        name, _, email = who.partition(b"<")
        mapped = self._mailmap.apply(Ident(name.removesuffix(b" "), email))
        return CommitAuthor(name=mapped.name, email=mapped.email or b"").SerializeToString()


def _dated(seconds: int) -> bytes:
    """The date of a CommitAuthor: seconds since the epoch."""
    if seconds in _FIVE_BYTES:
        return _FIVE_BYTES_DATE + _LOW[seconds & 127] + _LOW[seconds >> 7 & 127] + _varint(seconds >> 14)
    date = _SECONDS + varint(seconds)
    return _date(len(date)) + date


@lru_cache(maxsize=256)
def _zoned(timezone: bytes) -> bytes:
    """The timezone of a CommitAuthor."""
    return _timezone(len(timezone)) + timezone


def _message(message: bytes) -> tuple[bytes, ...]:
    if not message:
        return ()
    subject = message.partition(b"\n")[0].rstrip(b"\r")
    body = message[:MAX_BODY]
    sized = (_body(len(body)), body, _BODY_SIZE, _varint(len(message)))
    return (_subject(len(subject)), subject, *sized) if subject else sized
