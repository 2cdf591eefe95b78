"""Reads and writes the files of control groups. What isn't there, or isn't supported, is unknown: None."""

from __future__ import annotations

import errno
from pathlib import Path

from gitaly_py.limits.load import Averages, Pressure


def write(path: str, text: str) -> None:
    """Raises OSError that names the file, also when only the value is refused."""
    try:
        with open(path, "wb", buffering=0) as file:
            file.write(text.encode())
    except OSError as error:
        error.filename = path
        raise


def words(path: str) -> set[str]:
    """The words of a file; none where it is missing."""
    return set((_content(path) or "").split())


def number(path: str) -> int | None:
    """A single value; None stands for `max` as well."""
    text = _content(path)
    return None if text is None or text.strip() == "max" else int(text)


def counters(path: str) -> dict[str, int]:
    """Names and values, one pair a line; none where the file is missing."""
    lines = (_content(path) or "").splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


def pressure(path: str) -> Pressure | None:
    """Pressure stall information."""
    text = _content(path)
    if text is None:
        return None
    kinds = {kind: _averages(rest) for kind, _, rest in (line.partition(" ") for line in text.splitlines())}
    return Pressure(kinds["some"], kinds.get("full")) if "some" in kinds else None


def _averages(text: str) -> Averages:
    values = dict(pair.split("=", 1) for pair in text.split())
    try:
        return Averages(*(float(values[window]) for window in ("avg10", "avg60", "avg300")))
    except KeyError as error:
        raise ValueError(f"no {error.args[0]} in {text!r}") from error


def _content(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return None
        raise
