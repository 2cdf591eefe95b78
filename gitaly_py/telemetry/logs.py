"""Structured logs on standard output, one entry a line (daemon.md 4.4).

JSON entries have their keys sorted and carry `time`, `level`, `msg` and `pid`; text entries are
logrus' key=value form. Code logs with `structlog.get_logger("gitaly")`.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import time
from collections.abc import MutableMapping
from functools import lru_cache
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, TextIO, cast

import structlog

from gitaly_py.telemetry.correlation import current_id
from gitaly_py.telemetry.lines import Lines
from gitaly_py.telemetry.method import current_method
from gitaly_py.telemetry.redaction import METHODS, redacted

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
_MAX_CHARACTER = 4
_LAYOUTS = 256

_PLAIN = re.compile(r"^[a-zA-Z0-9\-._/@^+]*\Z")


class UnknownLogFormat(ValueError):
    """`logging.format` is neither `text` nor `json`."""

    def __init__(self, name: str) -> None:
        super().__init__(f'invalid logger format "{name}"')
        self.name = name


class _Output:
    """Where entries go and how they look there; what `configure` says, for `write` as well."""

    def __init__(self, as_json: bool, level: int, stream: TextIO | Lines) -> None:
        self.as_json = as_json
        self.render = _as_json if as_json else _as_text
        self.level = level
        self.stream = stream


_outputs: list[_Output] = []


class Shared:
    """Fields that many entries have in common, rendered once."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.level = _LEVELS[fields["level"]]
        self._layouts: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {}

    def as_json(self, entry: dict[str, Any]) -> str:
        """These fields and those of `entry` as one object."""
        keys = tuple(entry)
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) >= _LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[keys] = self._layout(keys)
        template, order = layout
        return template % tuple(
            [
                encode_basestring(value)
                if (kind := type(value)) is str
                else repr(value)
                if kind is int
                else _rendered(value)
                for value in map(entry.__getitem__, order)
            ]
        )

    def _layout(self, keys: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """An object with places for the values of `keys`, and their order in it."""
        parts = []
        for key in sorted({*self.fields, *keys}):
            value = "%s" if key in keys else _rendered(self.fields[key]).replace("%", "%%")
            parts.append(f"{encode_basestring(key).replace('%', '%%')}: {value}")
        return "{" + ", ".join(parts) + "}", tuple(sorted(keys))


@lru_cache(maxsize=4096)
def shared(level: str, message: str, fields: tuple[tuple[str, str], ...]) -> Shared:
    """Everything of an entry that is known beforehand."""
    return Shared({**dict(fields), "level": level, "msg": message, "pid": os.getpid()})


def write(entry: dict[str, Any], known: Shared) -> None:
    """Writes an entry of `known` fields and those of `entry`, with as little work as can be.

    The access log has one for each call, for which a bound logger costs as much as all else in it. What
    is written appears with the next `flush`.
    """
    for output in _outputs:
        if known.level < output.level:
            continue
        entry["time"] = timestamp(time.time()) + "Z"
        _shorten_error(entry)
        if output.as_json:
            output.stream.write(known.as_json(entry) + "\n")
        else:
            output.stream.write(_as_text(None, "", {**known.fields, **entry}) + "\n")


def flush() -> None:
    """Lets go of what was written."""
    for output in _outputs:
        output.stream.flush()


def configure(format_name: str = "text", level: str = "info", *, stream: TextIO | None = None) -> None:
    """Sends every log entry of the process to `stream` (standard output by default).

    format_name: `text` (also when empty) or `json`; level: a logrus level name in either case, `info` when
    unknown.
    Raises UnknownLogFormat.
    """
    if format_name not in ("", "text", "json"):
        raise UnknownLogFormat(format_name)
    if isinstance(stream, io.TextIOWrapper):
        # Octets that are no UTF-8 come as surrogates, from what clients ask for and git says.
        stream.reconfigure(errors="backslashreplace")
    output = _Output(
        format_name == "json", _LEVELS.get(level.lower(), logging.INFO), stream or _standard_output()
    )
    _outputs[:] = [output]
    structlog.configure(
        processors=[
            _complete,
            structlog.processors.format_exc_info,
            output.render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(output.level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", output.stream)),
        cache_logger_on_first_use=False,
    )


def _standard_output() -> Lines:
    sys.stdout.flush()
    return Lines(sys.stdout.fileno())


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
    entry["pid"] = os.getpid()
    if current_id.get():
        entry.setdefault("correlation_id", current_id.get())
    if current_method.get()[1] in METHODS:
        _redact(entry)
    _shorten_error(entry)
    return entry


def _redact(entry: MutableMapping[str, Any]) -> None:
    for key in ("error", "msg"):
        if key in entry:
            entry[key] = redacted(str(entry[key]))
    if "args" in entry:
        entry["args"] = [redacted(str(argument)) for argument in entry["args"]]


def _shorten_error(entry: MutableMapping[str, Any]) -> None:
    error = entry.get("error")
    if error is not None:
        text = str(error)
        if len(text) * _MAX_CHARACTER > _MAX_ERROR:
            encoded = text.encode("utf-8", "surrogateescape")
            if len(encoded) > _MAX_ERROR:
                text = encoded[:_MAX_ERROR].decode("utf-8", "ignore") + "... (truncated)"
        entry["error"] = text


def _as_json(_: object, __: str, entry: MutableMapping[str, Any]) -> str:
    return _encode(entry)


def _printable(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


_encode = json.JSONEncoder(sort_keys=True, default=_printable, ensure_ascii=False).encode


def _rendered(value: object) -> str:
    """A value as JSON has it."""
    if type(value) is int or (type(value) is float and isfinite(value)):
        return repr(value)
    return _encode(value)


def _as_text(_: object, __: str, entry: MutableMapping[str, Any]) -> str:
    first = [("time", entry.pop("time")), ("level", entry.pop("level")), ("msg", entry.pop("msg"))]
    return " ".join(f"{key}={_quoted(value)}" for key, value in [*first, *sorted(entry.items())])


def _quoted(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        value = f"map[{' '.join(f'{key}:{value[key]}' for key in sorted(value))}]"
    text = _printable(value) if not isinstance(value, str) else value
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)
