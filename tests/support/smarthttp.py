"""Requests of git's smart HTTP protocol, made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.support.repositories import Repo

FLUSH = b"0000"
DELIM = b"0001"


def pkt(text: str | bytes) -> bytes:
    """A pkt-line."""
    data = text.encode() if isinstance(text, str) else text
    return b"%04x" % (len(data) + 4) + data


def packets(data: bytes) -> Iterator[bytes | None]:
    """The payloads of pkt-lines; None for a flush."""
    while data:
        length = int(data[:4], 16)
        yield data[4:length] if length else None
        data = data[max(length, 4) :]


def wants(*oids: str, haves: Sequence[str] = (), capabilities: str = "", done: bool = True) -> bytes:
    """A v0 request for objects."""
    first, *others = oids
    lines = [pkt(f"want {first} {capabilities}\n" if capabilities else f"want {first}\n")]
    lines += [pkt(f"want {oid}\n") for oid in others]
    lines += [FLUSH, *(pkt(f"have {oid}\n") for oid in haves)]
    return b"".join(lines) + (pkt("done\n") if done else FLUSH)


def update(
    old: str, new: str, name: str | bytes, pack: bytes = b"", *, capabilities: str = "report-status"
) -> bytes:
    """A push of one reference. pack: what `pack_of` makes; none for a deletion."""
    reference = name.encode() if isinstance(name, str) else name
    return pkt(f"{old} {new} ".encode() + reference + b"\0" + capabilities.encode()) + FLUSH + pack


def pack_of(repo: Repo, *revisions: str) -> bytes:
    """A pack of everything that the revisions reach."""
    return repo.git_bytes(
        "pack-objects", "--revs", "--stdout", "-q", stdin="".join(f"{r}\n" for r in revisions)
    )


def report(answer: bytes) -> list[str]:
    """The lines of a push's report, where it comes without a side band."""
    return [packet.decode().rstrip("\n") for packet in packets(answer) if packet is not None]
