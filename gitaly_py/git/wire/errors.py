"""Errors of the codecs.

WireError
├── InvalidRevision          (daemon.md 10)
├── InvalidReferenceName     (ref-blob.md 2.1)
├── InvalidObjectId          (ref-blob.md 2.3)
├── MalformedPacket          a pkt-line that is none
├── MalformedObject          a raw tree that cannot be parsed
├── MalformedRecord          git log printed something unexpected
├── MalformedReply           cat-file said something unexpected
├── MalformedOutput          so did another command
├── MalformedDiff            git printed a diff that cannot be parsed
├── MalformedMerge           git merge-tree said something unexpected
├── MalformedStats           git counted lines in a way that cannot be parsed
├── MissingObject            cat-file did not find what it was asked for
├── MalformedRequest         no request of protocol version 2
└── MalformedNegotiation     a fetch request that cannot be counted
"""

from __future__ import annotations

from gitaly_py.git.errors import GitError
from gitaly_py.git.wire.goquote import quote


class WireError(GitError):
    """Bytes or names that break the rules of a format."""


class InvalidRevision(WireError):
    """A revision that must not be given to git; the text is the API's."""


class InvalidReferenceName(WireError):
    """A full reference name git would refuse; the text is the API's."""


class InvalidObjectId(WireError):
    """Not a full, lower-case object id of the repository's format; the text is the API's."""


class MalformedPacket(WireError):
    """A pkt-line or side-band packet with an impossible length or band."""


class MalformedObject(WireError):
    """A raw object whose bytes do not follow its format."""


class MalformedRecord(WireError):
    """A record of `git log` that is not of the format that was asked for."""


class MalformedReply(WireError):
    """A reply of `git cat-file --batch-command` that is none of the known ones."""


class MalformedOutput(WireError):
    """Output of a git command that is not what it is known to print."""


class MalformedDiff(WireError):
    """Output of `git diff` that is neither a raw line nor a patch."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"parse failure: {reason}")


class MalformedMerge(WireError):
    """Output of `git merge-tree` that names no tree, or a conflict that is none."""


class MalformedStats(WireError):
    """A record of `git diff --numstat` that is none; the text is the API's."""

    def __init__(self, record: bytes) -> None:
        super().__init__(f"error parsing {quote(record)}")


class MissingObject(WireError):
    """The object `oid` is not in the repository."""

    def __init__(self, oid: str) -> None:
        super().__init__("object not found")
        self.oid = oid


class MalformedRequest(WireError):
    """Bytes that are no request of protocol version 2, or more of them than are taken."""


class MalformedNegotiation(WireError):
    """A line of a fetch request that breaks the protocol."""
