"""Numbers over time in one line of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

COLUMNS: Final = 64
_BARS: Final = "▁▂▃▄▅▆▇█"
_NOTHING: Final = "."


def condensed(
    values: Sequence[int], joined: Callable[[Iterable[int]], int], columns: int = COLUMNS
) -> list[int]:
    """`values` in at most `columns` groups of the same size, each `joined` to one."""
    size = -(-len(values) // columns)
    return [joined(values[start : start + size]) for start in range(0, len(values), size or 1)]


def sparkline(values: Sequence[int], greatest: int) -> str:
    """A character a value, as high as it is in comparison with `greatest`; those that are 0 stand out."""
    return "".join(_bar(value, greatest) for value in values)


def _bar(value: int, greatest: int) -> str:
    if value <= 0:
        return _NOTHING
    return _BARS[min(len(_BARS) * value // greatest, len(_BARS) - 1)] if greatest else _NOTHING
