"""Structured logs on standard output, one entry a line (daemon.md 4.4).

JSON entries have their keys sorted and carry `time`, `level`, `msg` and `pid`; text entries are
logrus' key=value form. Code logs with `structlog.get_logger("gitaly")`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, TextIO

import structlog

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
_MAX_ERROR = 1024

Renderer = Callable[[object, str, MutableMapping[str, Any]], str]
_PID = os.getpid()
_PLAIN = re.compile(r"^[a-zA-Z0-9\-._/@^+]+$")


class UnknownLogFormat(ValueError):
    """`logging.format` is neither `text` nor `json`."""

    def __init__(self, name: str) -> None:
        super().__init__(f'invalid logger format "{name}"')
        self.name = name


class _Output:
    """Where entries go and how they look there; what `configure` says, for `write` as well."""

    def __init__(self, render: Renderer, level: int, stream: TextIO) -> None:
        self.render = render
        self.level = level
        self.stream = stream


_outputs: list[_Output] = []


def write(level: str, message: str, entry: dict[str, Any]) -> None:
    """Writes an entry that needs none of structlog's help.

    The access log has one for each call, for which a bound logger costs as much as all else in it.
    """
    for output in _outputs:
        if _LEVELS[level] >= output.level:
            entry["event"] = message
            output.stream.write(output.render(None, level, _complete(None, level, entry)) + "\n")
            output.stream.flush()


def configure(format_name: str = "text", level: str = "info", *, stream: TextIO | None = None) -> None:
    """Sends every log entry of the process to `stream` (standard output by default).

    format_name: `text` (also when empty) or `json`; level: a logrus level name, `info` when unknown.
    Raises UnknownLogFormat.
    """
    renderers = {"": _as_text, "text": _as_text, "json": _as_json}
    if format_name not in renderers:
        raise UnknownLogFormat(format_name)
    output = _Output(renderers[format_name], _LEVELS.get(level, logging.INFO), stream or sys.stdout)
    _outputs[:] = [output]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _complete,
            structlog.processors.format_exc_info,
            output.render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(output.level),
        logger_factory=structlog.WriteLoggerFactory(output.stream),
        cache_logger_on_first_use=False,
    )


def timestamp(seconds: float) -> str:
    """A moment in Unix seconds as logs write it: UTC, milliseconds."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}"


@lru_cache(maxsize=16)
def _second(whole: int) -> str:
    """Formatting a date costs more than all else in a timestamp, and entries come many a second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def _complete(_: object, level: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    entry["msg"] = entry.pop("event")
    entry["level"] = {"warn": "warning", "critical": "fatal"}.get(level, level)
    entry["time"] = timestamp(time.time()) + "Z"
    entry["pid"] = _PID
    error = entry.get("error")
    if error is not None:
        text = str(error)
        entry["error"] = text if len(text) <= _MAX_ERROR else text[:_MAX_ERROR] + "... (truncated)"
    return entry


def _as_json(_: object, __: str, entry: MutableMapping[str, Any]) -> str:
    return _encode(entry)


def _printable(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


_encode = json.JSONEncoder(sort_keys=True, default=_printable, ensure_ascii=False).encode


def _as_text(_: object, __: str, entry: MutableMapping[str, Any]) -> str:
    first = [("time", entry.pop("time")), ("level", entry.pop("level")), ("msg", entry.pop("msg"))]
    return " ".join(f"{key}={_quoted(value)}" for key, value in [*first, *sorted(entry.items())])


def _quoted(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = _printable(value) if not isinstance(value, str) else value
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)
