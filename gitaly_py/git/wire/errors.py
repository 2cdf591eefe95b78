"""Errors of the codecs.

WireError
├── InvalidRevision          (daemon.md 10)
├── InvalidReferenceName     (ref-blob.md 2.1)
├── InvalidObjectId          (ref-blob.md 2.3)
├── MalformedPacket          a pkt-line that is none
├── MalformedObject          a raw tree that cannot be parsed
├── MalformedReply           cat-file said something unexpected
├── MissingObject            cat-file did not find what it was asked for
├── MalformedRequest         no request of protocol version 2
└── MalformedNegotiation     a fetch request that cannot be counted
"""

from __future__ import annotations

from gitaly_py.git.errors import GitError


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


class MalformedReply(WireError):
    """A reply of `git cat-file --batch-command` that is none of the known ones."""


class MissingObject(WireError):
    """The object `oid` is not in the repository."""

    def __init__(self, oid: str) -> None:
        super().__init__("object not found")
        self.oid = oid


class MalformedRequest(WireError):
    """Bytes that are no request of protocol version 2, or more of them than are taken."""


class MalformedNegotiation(WireError):
    """A line of a fetch request that breaks the protocol."""
