"""What upload-pack would do for a plain clone, without asking it.

A fetch of protocol version 2 that has nothing yet, and says `done`, is not negotiated: the answer is the
pack, and pack-objects is asked for what the request says (gitprotocol-v2), in upload-pack's order.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gitaly_py.git.wire.fetch_request import FetchRequest
from gitaly_py.git.wire.pktline import Kind, encode

MAX_WANTS: Final = 100
"""More objects take longer to be looked for here than a process takes to start."""

PREFIX: Final = encode(b"packfile\n")

_HEADERS: Final = (b"command=fetch", b"object-format=sha1")
_CHATTER: Final = (b"agent=", b"session-id=")
_FLAGS: Final = {
    b"thin-pack": "--thin",
    b"ofs-delta": "--delta-base-offset",
    b"include-tag": "--include-tag",
}
_WANT: Final = b"want "
_ID: Final = re.compile(rb"[0-9a-f]{40}")


class Foreseen(NamedTuple):
    """args, stdin: as upload-pack would give them to git. wants: hex ids of objects that must be there."""

    args: tuple[str, ...]
    stdin: bytes
    wants: tuple[bytes, ...]


def foreseen(request: FetchRequest) -> Foreseen | None:
    """What a request amounts to, None for any that is not as plain as can be."""
    if request.version < 2:
        return None
    texts = [(packet.kind, packet.payload.removesuffix(b"\n")) for packet in request.packets]
    delimiter = (Kind.DELIMITER, b"")
    if texts.count(delimiter) != 1:
        return None
    border = texts.index(delimiter)
    headers = [text for _, text in texts[:border]]
    arguments = [text for _, text in texts[border + 1 : -1]]
    if not all(text in _HEADERS or text.startswith(_CHATTER) for text in headers):
        return None
    wants = dict.fromkeys(text.removeprefix(_WANT) for text in arguments if text.startswith(_WANT))
    if not all(_ID.fullmatch(want) for want in wants):
        return None
    words = {text for text in arguments if not text.startswith(_WANT)}
    if b"done" not in words or not words <= {*_FLAGS, b"no-progress", b"done"}:
        return None
    if not 0 < len(wants) <= MAX_WANTS:
        return None
    args = ["pack-objects", "--revs", *_flag(words, b"thin-pack"), "--stdout"]
    args += [] if b"no-progress" in words else ["--progress"]
    args += [*_flag(words, b"ofs-delta"), *_flag(words, b"include-tag")]
    stdin = b"".join(want + b"\n" for want in wants) + b"--not\n\n"
    return Foreseen(tuple(args), stdin, tuple(wants))


def _flag(words: set[bytes], word: bytes) -> list[str]:
    return [_FLAGS[word]] if word in words else []
