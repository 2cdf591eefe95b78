"""Raw tag objects (ref-blob.md 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitaly_py.git.wire.commits import split_message
from gitaly_py.git.wire.ident import Ident, parse_ident
from gitaly_py.git.wire.signatures import SignatureType, signature_type

_BEGIN = b"-----BEGIN"
_TARGET = re.compile(rb"object ([0-9a-f]+)\ntype ([a-z]+)\n")


@dataclass(frozen=True, slots=True)
class Tag:
    """A parsed tag object. Values are as they stand; None or empty for what is missing.

    object, type: what it points at; name: as the object says, which need not be the reference's;
    raw_message: everything after the headers, a signature included.
    """

    object: str
    type: str
    name: bytes
    tagger: Ident | None
    raw_message: bytes

    @property
    def message(self) -> bytes:
        """The message without its trailing newlines; the API's `message_size` is its length."""
        return self.raw_message.rstrip(b"\n")

    @property
    def signature_type(self) -> SignatureType:
        """See `signature_of`."""
        return signature_of(self.raw_message)


def signature_of(raw_message: bytes) -> SignatureType:
    """Kind of the signature at a message's end; one that is all of the message does not count."""
    begin = raw_message.find(_BEGIN)
    if begin <= 0:
        return SignatureType.NONE
    first, more, _ = raw_message[begin:].removesuffix(b"\n").partition(b"\n")
    return signature_type(first) if more else SignatureType.NONE


def target_of(data: bytes) -> tuple[str, str]:
    """Id and type of what a raw tag object points at; both empty where it does not say so as git does."""
    found = _TARGET.match(data)
    return (found[1].decode("ascii"), found[2].decode("ascii")) if found else ("", "")


def split_signature(data: bytes) -> tuple[bytes, bytes]:
    """A raw tag object without its signature, and the signature without the line end behind it.

    The signature is everything from the first line that could begin one; it may be empty (ref-blob.md 5.12).
    """
    begin = data.find(_BEGIN)
    if begin <= 0:
        return data, b""
    return data[:begin], data[begin:].removesuffix(b"\n")


def parse_tag(data: bytes) -> Tag:
    """The tag in `data`, the raw object without git's object header. Never fails."""
    head, message = split_message(data)
    values = dict(line.split(b" ", 1) for line in head.split(b"\n") if b" " in line)
    tagger = values.get(b"tagger")
    return Tag(
        object=values.get(b"object", b"").decode("utf-8", "replace"),
        type=values.get(b"type", b"").decode("utf-8", "replace"),
        name=values.get(b"tag", b""),
        tagger=None if tagger is None else parse_ident(tagger),
        raw_message=message,
    )
