"""Messages of Rails, laid out for the terminal of whoever pushed (transport.md 9.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gitaly_py.rails.errors import UnknownMessageType
from gitaly_py.rails.push import Message

_WIDTH = 72
_TEXT_WIDTH = 68
_RULE = b"=" * _WIDTH


def printed(messages: Iterable[Message]) -> Iterator[bytes]:
    """Each message as it is printed. Raises UnknownMessageType when it comes to one."""
    for message in messages:
        yield b"\n" + _body(message) + b"\n\n"


def _body(message: Message) -> bytes:
    text = message.text.encode("utf-8", "replace")
    if message.kind == "basic":
        return text
    if message.kind == "alert":
        return b"\n\n".join((_RULE, _centred(text), _RULE))
    raise UnknownMessageType(message.kind)


def _centred(text: bytes) -> bytes:
    lines = [b""]
    for word in text.split():
        if len(lines[-1]) + 1 + len(word) > _TEXT_WIDTH:
            lines.append(b"")
        lines[-1] += word + b" "
    return b"\n".join(map(_centre, lines))


def _centre(line: bytes) -> bytes:
    line = line.strip()
    return b" " * max(0, (_WIDTH - len(line)) // 2) + line
