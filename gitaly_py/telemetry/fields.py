"""Log fields of the call in progress (daemon.md 4.4), filled by whoever knows them.

The frame opens a record for each call; code below it adds to the record without knowing the call.
Outside a call every function here does nothing.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

Fields = dict[str, Any]

_current: ContextVar[Fields | None] = ContextVar("call_fields", default=None)


def opened() -> Fields:
    """Opens a record for the current context, which is that of one call."""
    record: Fields = {}
    _current.set(record)
    return record


def add(name: str, value: float) -> None:
    """Adds `value` to a field that is summed over the call."""
    record = _current.get()
    if record is not None:
        record[name] = record.get(name, 0) + value


def peak(name: str, value: float) -> None:
    """Sets a field to `value` unless it is greater already."""
    record = _current.get()
    if record is not None:
        record[name] = max(record.get(name, value), value)


def put(name: str, value: object) -> None:
    """Sets a field; the last value wins."""
    record = _current.get()
    if record is not None:
        record[name] = value


def put_all(values: Fields) -> None:
    """Sets several fields."""
    record = _current.get()
    if record is not None:
        record.update(values)


def take_back(name: str) -> None:
    """Removes a field, if it is there."""
    record = _current.get()
    if record is not None:
        record.pop(name, None)
