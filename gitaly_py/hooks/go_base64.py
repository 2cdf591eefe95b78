"""Base64 as Go's decoder reads it, down to the offset in its error (transport.md 8.1)."""

from __future__ import annotations

import binascii
import re

from gitaly_py.hooks.errors import PayloadInvalid

_DIGIT = rb"[A-Za-z0-9+/]"
_PADDED = re.compile(rb"(?:D{4})*(?:D{2}==|D{3}=)?".replace(b"D", _DIGIT))
_LINE_ENDS = b"\r\n"
_QUANTUM = 4


def decode(text: str) -> bytes:
    """The bytes that `text` stands for; line ends are skipped. Raises PayloadInvalid."""
    data = text.encode("utf-8", "surrogateescape")
    digits = data.translate(None, _LINE_ENDS)
    if _PADDED.fullmatch(digits) is None:
        raise PayloadInvalid(f"illegal base64 data at input byte {_first_illegal(data)}")
    return binascii.a2b_base64(digits)


def _first_illegal(data: bytes) -> int:
    """Offset of the byte Go complains about: the first wrong one, or where an unfinished group begins."""
    places = [index for index, byte in enumerate(data) if byte not in _LINE_ENDS]
    legal = re.compile(_DIGIT)
    for count, index in enumerate(places):
        if not legal.match(data, index):
            return _at_illegal(data, places, count)
    return len(data) - len(places) % _QUANTUM


def _at_illegal(data: bytes, places: list[int], count: int) -> int:
    index, filled = places[count], count % _QUANTUM
    if data[index : index + 1] != b"=" or filled < 2:
        return index
    rest = places[count + 1 :]
    if filled == 3:
        return rest[0]
    if not rest:
        return len(data)
    if data[rest[0] : rest[0] + 1] != b"=":
        return rest[0] - 1
    return rest[1]
