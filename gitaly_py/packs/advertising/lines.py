"""The lines of an answer to ls-refs, each a packet (gitprotocol-v2):

<id or "unborn"> SP <name> [SP symref-target:<name>] [SP peeled:<id>] LF
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final

from gitaly_py.git.wire.pktline import FLUSH, HEADER_LENGTH, MAX_PAYLOAD

_HEADERS: Final = [b"%04x" % (HEADER_LENGTH + length + 1) for length in range(MAX_PAYLOAD)]
"""The length of a packet by that of its line, without the newline."""

_NAME: Final = HEADER_LENGTH + 40 + 1
"""Where the name begins in the packet of a SHA-1 reference."""

_USUAL: Final = rb"[^\x00-\x20\x7f~^:?*\[\\/.@]++|@(?!\{)"
_COMPONENT: Final = rb"/(?:%b)(?:%b|\.(?![.\n]|lock[/\n]))*+" % (_USUAL, _USUAL)
_ENTRIES: Final = re.compile(rb"(?:[0-9a-f]{40} refs(?:%b)++\n(?:\^[0-9a-f]{40}\n)?)*+" % _COMPONENT)
"""Entries of packed-refs whose names follow git's rules."""

_PEELED: Final = re.compile(rb"\n\^.*")


class Undecided(Exception):
    """Only git can tell what is to be listed."""


def line(name: bytes, oid: str, target: bytes | None = None, peeled: str | None = None) -> bytes:
    """The packet of a reference without its newline. oid: `unborn` for a HEAD without value."""
    text = b"%b %b" % (oid.encode(), name)
    if target is not None:
        text += b" symref-target:" + target
    if peeled is not None:
        text += b" peeled:" + peeled.encode()
    return _HEADERS[len(text)] + text


def packed_lines(entries: bytes, *, peel: bool) -> list[bytes]:
    """The same of whole entries of packed-refs. Raises Undecided for what git might not take as it is."""
    if _ENTRIES.fullmatch(entries) is None:
        raise Undecided
    texts = (entries.replace(b"\n^", b" peeled:") if peel else _PEELED.sub(b"", entries)).split(b"\n")
    del texts[-1]
    try:
        return [_HEADERS[len(text)] + text for text in texts]
    except IndexError:
        raise Undecided from None


def put(lines: list[bytes], loose: Mapping[bytes, bytes | None]) -> None:
    """Puts the lines of loose references into those of packed ones, whose place they take.

    loose: by name; None where nothing is to be listed.
    """
    for name, own in loose.items():
        at = bisect_left(lines, name, key=_name_onwards)
        exists = at < len(lines) and (lines[at] + b" ").startswith(name + b" ", _NAME)
        lines[at : at + exists] = [] if own is None else [own]


def _name_onwards(packet: bytes) -> bytes:
    # What may follow the name is less than anything in a name.
    return packet[_NAME:]


def joined(lines: Sequence[bytes]) -> bytes:
    """Whole packets."""
    return b"\n".join([*lines, b""])


def split(answer: bytes, parts: Sequence[bytes], hex_length: int) -> list[bytes | memoryview]:
    """Cuts the packets that git has answered to a request for several parts into those of each.

    Most of a long answer is not copied: what makes up more than half of it is a view.
    """
    end = len(answer) - len(FLUSH)
    pieces: list[bytes | memoryview] = []
    for part in reversed(parts):
        begin = 0 if part == parts[0] else _begin(answer, part, hex_length, end)
        most = 2 * (end - begin) > len(answer)
        pieces.append(memoryview(answer)[begin:end] if most else answer[begin:end])
        end = begin
    return pieces[::-1]


def _begin(answer: bytes, prefix: bytes, hex_length: int, end: int) -> int:
    """Where the first packet begins whose name is `prefix` or greater; they are in order of their names."""
    name = HEADER_LENGTH + hex_length + 1
    low = answer.find(b"\n") + 1 if answer.startswith(b"unborn", HEADER_LENGTH) else 0
    high = end
    while low < high:
        begin = answer.rfind(b"\n", low, (low + high) // 2) + 1 or low
        newline = answer.find(b"\n", begin)
        if answer[begin + name : newline] < prefix:
            low = newline + 1
        else:
            high = begin
    return low
