"""What a client asks of ls-refs (gitprotocol-v2, git's ls-refs.c)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from gitaly_py.git.commands import HIDDEN_PREFIXES
from gitaly_py.git.reading.names import is_safe_name
from gitaly_py.git.wire.errors import MalformedRequest
from gitaly_py.git.wire.pktline import Incomplete
from gitaly_py.git.wire.v2 import Request, encode, parse

LS_REFS: Final = b"ls-refs"
HEAD: Final = b"HEAD"
HIDDEN: Final = tuple(sorted(prefix.rstrip("/").encode() for prefix in HIDDEN_PREFIXES))
"""Neither these references nor those below them are shown."""

_REFS: Final = b"refs/"
_BELOW_HIDDEN: Final = tuple(name + b"/" for name in HIDDEN)
_PREFIX: Final = b"ref-prefix "

_LONGEST: Final = 32 << 10
_MOST_PARTS: Final = 32
"""Longer requests, and those for more, would hold the event loop for too long: they are for git."""

_REMEMBERED: Final = 8 << 10
"""Clients ask the same again and again: shorter requests than this are parsed once."""


class Wanted(NamedTuple):
    """What is to be listed, in a form in which the same is equal.

    parts: `HEAD`, if it is among them, then prefixes of names below `refs/`, in order, none within another.
    """

    parts: tuple[bytes, ...]
    peel: bool
    symrefs: bool
    unborn: bool
    object_format: str

    def request(self, parts: Iterable[bytes]) -> bytes:
        """A request for some of the parts."""
        flags = [name for name in ("peel", "symrefs", "unborn") if getattr(self, name)]
        arguments = [*map(str.encode, flags), *(_PREFIX + part for part in parts)]
        capabilities = (f"object-format={self.object_format}".encode(),)
        return encode(Request(LS_REFS, capabilities, tuple(arguments)))


def wanted(data: bytes, object_format: str) -> Wanted | None:
    """What a whole request asks for; None when only git knows what to say to it."""
    if len(data) > _LONGEST:
        return None
    return (_remembered if len(data) < _REMEMBERED else _wanted)(data, object_format)


def _wanted(data: bytes, object_format: str) -> Wanted | None:
    try:
        parsed = parse(data)
    except MalformedRequest:
        return None
    if isinstance(parsed, Incomplete) or parsed.end != len(data):
        return None
    request = parsed.request
    if request.command != LS_REFS or not _are_understood(request.capabilities, object_format):
        return None
    return _normal(request.arguments, object_format)


_remembered = lru_cache(maxsize=1024)(_wanted)


def _are_understood(capabilities: Iterable[bytes], object_format: str) -> bool:
    formats = [b"sha1"]
    for capability in capabilities:
        name, _, value = capability.partition(b"=")
        if name == b"object-format":
            formats.append(value)
        elif name != b"agent":
            return False
    return formats[-1] == object_format.encode()


def _normal(arguments: Iterable[bytes], object_format: str) -> Wanted | None:
    flags = set()
    prefixes = []
    for argument in arguments:
        if argument in (b"peel", b"symrefs", b"unborn"):
            flags.add(argument)
        elif argument.startswith(_PREFIX) and b"\0" not in argument:
            prefixes.append(argument.removeprefix(_PREFIX))
        else:
            return None
    parts = tuple(_parts(prefixes or [b""]))
    if len(parts) > _MOST_PARTS or not all(map(_is_safe, parts)):
        return None
    unborn = {b"symrefs", b"unborn"} <= flags and HEAD in parts
    return Wanted(parts, b"peel" in flags, b"symrefs" in flags, unborn, object_format)


def _parts(prefixes: list[bytes]) -> Iterator[bytes]:
    if any(HEAD.startswith(prefix) for prefix in prefixes):
        yield HEAD
    below = {_REFS if _REFS.startswith(prefix) else prefix for prefix in prefixes}
    last = None
    for prefix in sorted(below):
        if not prefix.startswith(_REFS) or prefix.startswith(_BELOW_HIDDEN):
            continue
        if last is None or not prefix.startswith(last):
            yield prefix
            last = prefix


def _is_safe(part: bytes) -> bool:
    """Whether the folder that a part names may be looked into."""
    return part == HEAD or is_safe_name(part[: part.rfind(b"/")])
