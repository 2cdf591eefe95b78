"""Commits and tags as the API's messages (commit.md 2, ref-blob.md 4), identities mapped (commit.md 1.7)."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

from gitaly_py.git.reading.errors import HeadError
from gitaly_py.git.reading.interface import GitObject, Reader
from gitaly_py.git.wire.commits import MAX_BODY, parse_commit
from gitaly_py.git.wire.ident import Ident
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.git.wire.signatures import SignatureType
from gitaly_py.git.wire.tags import parse_tag
from gitaly_py.pb import shared_pb2
from gitaly_py.pb.shared_pb2 import CommitAuthor, GitCommit, Tag
from gitaly_py.rpc.flags import is_enabled
from gitaly_py.services.app import Call

_KEPT_BYTES = 4096
"""Bytes of the largest commit whose message is kept."""

NO_MAILMAP = Mailmap()
"""Maps nothing."""

SIGNATURE_TYPES = {
    SignatureType.NONE: shared_pb2.NONE,
    SignatureType.PGP: shared_pb2.PGP,
    SignatureType.X509: shared_pb2.X509,
    SignatureType.SSH: shared_pb2.SSH,
}
"""The API's number of each kind of signature."""


def git_commit(commit: GitObject, mailmap: Mailmap) -> GitCommit:
    """The message for a raw commit, without what needs more than the object (trailers, statistics)."""
    parsed = parse_commit(commit.data)
    message = GitCommit(
        id=commit.oid,
        tree_id=parsed.tree_id,
        parent_ids=parsed.parent_ids,
        encoding=parsed.encoding,
        subject=parsed.subject,
        body=parsed.message[:MAX_BODY],
        body_size=len(parsed.message),
        signature_type=SIGNATURE_TYPES[parsed.signature_type],
    )
    if parsed.author is not None:
        _fill(message.author, mailmap.apply(parsed.author))
    if parsed.committer is not None:
        _fill(message.committer, mailmap.apply(parsed.committer))
    return message


def kept_git_commit(commit: GitObject, mailmap: Mailmap) -> GitCommit:
    """The same, not to be changed: commits that are asked for again and again are there already."""
    return (
        _kept_git_commit(commit, mailmap) if len(commit.data) <= _KEPT_BYTES else git_commit(commit, mailmap)
    )


_kept_git_commit = lru_cache(maxsize=1024)(git_commit)


def commit_author(ident: Ident, mailmap: Mailmap) -> CommitAuthor:
    """The message for an identity."""
    message = CommitAuthor()
    _fill(message, mailmap.apply(ident))
    return message


def annotated_tag(name: bytes, tag: GitObject, target: GitCommit | None, mailmap: Mailmap) -> Tag:
    """The message for a tag object.

    name: the reference's name without `refs/tags/`; target: the commit that the tag peels to, if it does.
    """
    parsed = parse_tag(tag.data)
    text = parsed.message
    return Tag(
        name=name,
        id=tag.oid,
        target_commit=target,
        message=text[:MAX_BODY],
        message_size=len(text),
        tagger=None if parsed.tagger is None else commit_author(parsed.tagger, mailmap),
        signature_type=SIGNATURE_TYPES[parsed.signature_type],
    )


async def mailmap_of(call: Call, reader: Reader) -> Mailmap:
    """The mailmap in `HEAD:.mailmap`; one that maps nothing where there is none, or the caller wants none."""
    if not is_enabled(call.metadata, "mailmap_options"):
        return NO_MAILMAP
    try:
        head = await reader.head()
    except HeadError:
        return NO_MAILMAP
    if head.oid is None:
        return NO_MAILMAP
    # A quarantine sees fewer objects than the repository, so the commit's id does not say what it would find.
    quarantined = reader.repository.object_directory is not None
    if not quarantined and (known := _mailmaps.get(head.oid)) is not None:
        return known
    mailmap = await _read_mailmap(reader, head.oid)
    if not quarantined and await reader.info(head.oid.encode()) is not None:
        _mailmaps.put(head.oid, mailmap)
    return mailmap


async def _read_mailmap(reader: Reader, head: str) -> Mailmap:
    info = await reader.info(head.encode() + b":.mailmap")
    if info is None or info.type != "blob":
        return NO_MAILMAP
    if (known := _mailmaps.get(info.oid)) is not None:
        return known
    blob = await reader.read(info.oid.encode())
    mailmap = NO_MAILMAP if blob is None else Mailmap(blob.data)
    _mailmaps.put(info.oid, mailmap)
    return mailmap


class _Mailmaps:
    """The mailmaps used last, by the id of their blob and of the commit that holds it: both never change."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[str, Mailmap] = OrderedDict()

    def get(self, oid: str) -> Mailmap | None:
        mailmap = self._known.get(oid)
        if mailmap is not None:
            self._known.move_to_end(oid)
        return mailmap

    def put(self, oid: str, mailmap: Mailmap) -> None:
        self._known[oid] = mailmap
        if len(self._known) > self._size:
            self._known.popitem(last=False)


_mailmaps = _Mailmaps(512)


def _fill(message: CommitAuthor, ident: Ident) -> None:
    message.name = ident.name
    if ident.email is not None:
        message.email = ident.email
    if ident.seconds is not None:
        message.date.seconds = ident.seconds
    if ident.timezone is not None:
        message.timezone = ident.timezone
