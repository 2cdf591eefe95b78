"""Lengths of time as the configuration writes them: `1h2m3s`, or nanoseconds."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import AfterValidator, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

FROM_JSON = "json"
"""Validation context under which a bare number is refused, as JSON writes every duration as a string."""

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = 2**63 - 1


class Duration(int):
    """A length of time in whole nanoseconds; its text form is Go's (`1m0s`), see daemon.md 1.1."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The duration that `text` writes; raises ValueError when it writes none."""
        sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
        nanoseconds = 0 if rest == "0" else _parse_parts(rest)
        if nanoseconds is None or nanoseconds > _LONGEST:
            raise ValueError(f"time: invalid duration {_quoted(text)}")
        return cls(sign * nanoseconds)

    @property
    def seconds(self) -> float:
        return self / 10**9

    def __str__(self) -> str:
        sign = "-" if self < 0 else ""
        return sign + _rendered(abs(int(self)))

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(cls._validated)

    @classmethod
    def _validated(cls, value: object, info: ValidationInfo) -> Self:
        if isinstance(value, str):
            try:
                return cls.parse(value)
            except ValueError as error:
                raise PydanticCustomError("duration", "{reason}", {"reason": str(error)}) from error
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and (isinstance(value, cls) or info.context != FROM_JSON)
        ):
            return cls(value)
        expected = "string" if info.context == FROM_JSON else "string or a number of nanoseconds"
        raise PydanticCustomError("duration", "a duration should be a {expected}", {"expected": expected})


def zero_means(default: str) -> AfterValidator:
    """For keys where zero asks for the default and not for no time at all."""
    replacement = Duration.parse(default)
    return AfterValidator(lambda duration: duration or replacement)


def _parse_parts(text: str) -> int | None:
    total = position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or not (part[1] or part[2]):
            return None
        unit, fraction = _UNITS[part[3]], part[2] or ""
        total += int(part[1] or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
        position = part.end()
    return total if position else None


def _rendered(nanoseconds: int) -> str:
    if nanoseconds == 0:
        return "0s"
    for unit in ("ns", "µs", "ms"):
        if nanoseconds < _UNITS[unit] * 1000:
            return _decimal(nanoseconds, _UNITS[unit]) + unit
    minutes, rest = divmod(nanoseconds, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, _UNITS["s"]) + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
