"""Numbers as people read them. `status.js` writes rates and durations in the same form."""

from __future__ import annotations

from typing import Final

NOTHING: Final = "\N{EN DASH}"
"""In place of what is not known."""

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def count(value: float) -> str:
    """`12,345`."""
    return f"{value:,.0f}"


def rate(value: float) -> str:
    """Of something a second: `0`, `0.25`, `7.4`, `1,234`."""
    if value == 0:
        return "0"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else count(value)


def seconds(value: float | None) -> str:
    """A short time: `0.42 ms`, `12.3 ms`, `1.24 s`, `950 s`."""
    if value is None:
        return NOTHING
    return f"{_in_three_digits(value * 1000)} ms" if value < 1 else f"{_in_three_digits(value)} s"


def _in_three_digits(value: float) -> str:
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def duration(value: float) -> str:
    """A long time, in its two largest units: `3 d 4 h`, `2 min 5 s`, `0 s`."""
    whole = max(int(value), 0)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, whole = divmod(whole, size)
        if parts or number or unit == "s":
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])


def size(value: float | None) -> str:
    """Bytes: `512 B`, `1.5 GiB`."""
    if value is None:
        return NOTHING
    for unit in _UNITS[:-1]:
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_UNITS[-1]}"


def percent(share: float | None) -> str:
    """`99.5 %`, `0.03 %`."""
    return NOTHING if share is None else f"{share * 100:.{2 if 0 < share < 0.01 else 1}f} %"
