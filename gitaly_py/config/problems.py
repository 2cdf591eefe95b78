"""The words in which full validation says what is wrong (daemon.md 1.2).

Every check returns None when all is well, else the message.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gitaly_py.config.duration import Duration
from gitaly_py.config.errors import os_reason

Number = int | float | Duration

_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^:\s/\[\]]*):(?P<port>[0-9]{1,5})")


class Problem(NamedTuple):
    """A fault: the path of the key that has it (empty when no single one has), and what it is."""

    key: tuple[str, ...]
    message: str


def at(key: str | tuple[str, ...], message: str | None) -> Iterator[Problem]:
    """The problem with `key`, when there is one."""
    if message is not None:
        yield Problem((key,) if isinstance(key, str) else key, message)


def under(key: str | tuple[str, ...], problems: Iterator[Problem]) -> Iterator[Problem]:
    """`problems` of a section, with the section's key in front of theirs."""
    prefix = (key,) if isinstance(key, str) else key
    return (Problem(prefix + problem.key, problem.message) for problem in problems)


def dotted(key: tuple[str, ...]) -> str:
    """The path of a key as one text, `storage[0].name`."""
    return ".".join(key).replace(".[", "[")


def entry(index: int) -> str:
    """The key of an entry in a list."""
    return f"[{index}]"


def quoted(text: str) -> str:
    """`text` in double quotes, with what could be mistaken escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def not_empty(value: str) -> str | None:
    return None if value else "not set"


def not_blank(value: str) -> str | None:
    return None if value.strip() else "blank or empty"


def directory(path: str) -> str | None:
    return _kind(path, stat.S_ISDIR, "not a dir")


def file(path: str) -> str | None:
    return _kind(path, lambda mode: not stat.S_ISDIR(mode), "not a file")


def absolute(path: str) -> str | None:
    return None if os.path.isabs(path) else f"not an absolute path: {quoted(path)}"


def listen_address(text: str) -> str | None:
    """Refuses what is not `host:port` or `[v6]:port`; the host may be empty."""
    parts = _HOST_AND_PORT.fullmatch(text)
    if parts is None or int(parts["port"]) > 65535:
        return f"not host:port: {quoted(text)}"
    return None


def one_of(value: str, known: Sequence[str]) -> str | None:
    return None if value in known else f"not supported: {quoted(value)}, choose {' or '.join(known)}"


def ascending(values: Sequence[float]) -> str | None:
    if all(before < after for before, after in pairwise(values)):
        return None
    return f"bad order: expected asc: [{' '.join(_number(value) for value in values)}]"


def in_range(value: Number, low: Number, high: Number) -> str | None:
    if low <= value <= high:
        return None
    return f"not in range: {_number(value)} out of [{_number(low)}, {_number(high)}]"


def greater(value: Number, bound: Number) -> str | None:
    return None if value > bound else f"not in range: {_number(value)} is not greater than {_number(bound)}"


def at_least(value: Number, bound: Number) -> str | None:
    if value >= bound:
        return None
    return f"not in range: {_number(value)} is not greater than or equal to {_number(bound)}"


def url(text: str) -> str | None:
    """Refuses what can't be taken apart as a URL; an empty one is fine."""
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        return f"parse {quoted(text)}: invalid control character in URL"
    if text.startswith(":"):
        return f"parse {quoted(text)}: missing protocol scheme"
    for part in text.split("%")[1:]:
        if len(unquote_to_bytes(f"%{part[:2]}")) != 1:
            return f"parse {quoted(text)}: invalid URL escape {quoted('%' + part[:2])}"
    return None


def _kind(path: str, is_right: Callable[[int], bool], otherwise: str) -> str | None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return f"doesn't exist: {quoted(path)}"
    except OSError as error:
        return f"stat {path}: {os_reason(error)}"
    return None if is_right(mode) else f"{otherwise}: {quoted(path)}"


def _number(value: Number) -> str:
    return str(value).removesuffix(".0")
