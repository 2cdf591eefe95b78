"""Raw commits (commit.md 2). Headers are read leniently: no commit fails to parse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from gitaly_py.git.wire.ident import Ident, parse_ident
from gitaly_py.git.wire.signatures import SignatureType, signature_type

_SIGNATURES = (b"gpgsig", b"gpgsig-sha256")


@dataclass(frozen=True, slots=True)
class Commit:
    """A parsed commit. Header values are as they stand; None or empty for what is missing.

    message: everything after the headers, never re-encoded and not cut.
    """

    tree_id: str
    parent_ids: tuple[str, ...]
    author: Ident | None
    committer: Ident | None
    encoding: str
    signature_type: SignatureType
    message: bytes

    @property
    def subject(self) -> bytes:
        """The first line of the message."""
        return self.message.partition(b"\n")[0].rstrip(b"\r")


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A commit taken apart for verification: its signatures, in order, and the text they sign."""

    signatures: tuple[bytes, ...]
    payload: bytes


MAX_BODY = 10_240
"""Bytes of a commit's or tag's message that the API carries."""


def parse_commit(data: bytes) -> Commit:
    """The commit in `data`, the raw object without git's object header."""
    head, message = split_message(data)
    values: dict[bytes, bytes] = {}
    parents: list[str] = []
    kind = SignatureType.NONE
    for line in head.split(b"\n"):
        key, found, value = line.partition(b" ")
        if not found:
            continue
        if key == b"parent":
            parents.append(_text(value))
        elif key in _SIGNATURES:
            kind = signature_type(value)
            break  # headers after a signature are signed text, but are not interpreted
        else:
            values[key] = value
    return Commit(
        tree_id=_text(values.get(b"tree", b"")),
        parent_ids=tuple(parents),
        author=_ident(values.get(b"author")),
        committer=_ident(values.get(b"committer")),
        encoding=_text(values.get(b"encoding", b"")),
        signature_type=kind,
        message=message,
    )


def parse_signed_commit(data: bytes) -> SignedCommit:
    """Signatures of a raw commit and the text they sign; header lines without a blank count for neither."""
    head, _ = split_message(data)
    payload: list[bytes] = []
    signatures: list[bytes] = []
    lines = iter(BytesIO(head))
    for line in lines:
        key, found, value = line.partition(b" ")
        if found and key in _SIGNATURES:
            signatures.append(value.removesuffix(b"\n") + b"\n")
            payload += _behind_signature(lines, signatures)
        elif found:
            payload.append(line)
    ended = tuple(signature.removesuffix(b"\n") for signature in signatures)
    return SignedCommit(ended, b"".join(payload) + data[len(head) :])


def split_message(data: bytes) -> tuple[bytes, bytes]:
    """The headers of a commit or tag, and what follows the first empty line."""
    if data.startswith(b"\n"):
        return b"", data[1:]
    end = data.find(b"\n\n")
    return (data, b"") if end < 0 else (data[: end + 1], data[end + 2 :])


def _behind_signature(lines: Iterator[bytes], signatures: list[bytes]) -> list[bytes]:
    for line in lines:
        key, found, value = line.partition(b" ")
        if line.startswith(b" "):
            signatures[-1] += line[1:]
        elif found and key in _SIGNATURES:
            signatures.append(value)
        else:
            return [line, *lines]
    return []


def _ident(value: bytes | None) -> Ident | None:
    return None if value is None else parse_ident(value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
